import type { IncomingMessage } from 'node:http'

/** An IP address as its 128 bits, eight 16-bit groups, most significant first; IPv4 as `::ffff:0:0/96`. */
export type AddressBits = Uint16Array

/**
 * Reads an IPv4 or IPv6 address in any of its textual forms (RFC 4291 §2.2; a zone id is dropped).
 *
 * @param text  at most 64 characters are looked at
 * @returns `undefined` for anything that is not an address: a name, a port, an octet above 255 or with a leading zero
 */
export function parseAddress(text: string): AddressBits | undefined {
  if (text.length === 0 || text.length > 64) return undefined
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

function parseIpv4(text: string): AddressBits | undefined {
  const octets = ipv4Octets(text)
  if (octets === undefined) return undefined
  const bits = new Uint16Array(8)
  bits[5] = 0xffff
  writeOctets(bits, 6, octets)
  return bits
}

function writeOctets(bits: AddressBits, group: number, octets: readonly number[]): void {
  bits[group] = (octets[0]! << 8) | octets[1]!
  bits[group + 1] = (octets[2]! << 8) | octets[3]!
}

function ipv4Octets(text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const octets: number[] = []
  for (const part of parts) {
    // A leading zero is octal to some parsers and decimal to others: refuse what two programs may read apart.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part)) return undefined
    const octet = Number(part)
    if (octet > 255) return undefined
    octets.push(octet)
  }
  return octets
}

function parseIpv6(withZone: string): AddressBits | undefined {
  const zone = withZone.indexOf('%')
  const text = zone === -1 ? withZone : withZone.slice(0, zone)
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0]!, halves.length === 1)
  const tail = halves.length === 2 ? groupsOf(halves[1]!, true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const bits = new Uint16Array(8)
  bits.set(head, 0)
  bits.set(tail, 8 - tail.length)
  return bits
}

/** The 16-bit groups of one side of `::`; only the last part of the address may be a dotted quad. */
function groupsOf(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const groups: number[] = []
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const octets = isEnd && index === parts.length - 1 ? ipv4Octets(part) : undefined
      if (octets === undefined) return undefined
      groups.push((octets[0]! << 8) | octets[1]!, (octets[2]! << 8) | octets[3]!)
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups.length > 8 ? undefined : groups
}

/** True for IPv4, also when written as IPv4-mapped IPv6 in any spelling. Decided by the bits. */
export function isIpv4(bits: AddressBits): boolean {
  return (
    bits[5] === 0xffff && bits[4] === 0 && bits[3] === 0 && bits[2] === 0 && bits[1] === 0 && bits[0] === 0
  )
}

/**
 * The one spelling of an address: dotted quad for IPv4, RFC 5952 for IPv6.
 */
export function formatAddress(bits: AddressBits): string {
  if (isIpv4(bits)) return `${bits[6]! >> 8}.${bits[6]! & 255}.${bits[7]! >> 8}.${bits[7]! & 255}`
  const [start, length] = longestZeroRun(bits)
  const hex = (from: number, to: number): string =>
    Array.from(bits.subarray(from, to), (group) => group.toString(16)).join(':')
  return length < 2 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`
}

function longestZeroRun(bits: AddressBits): [start: number, length: number] {
  let best: [number, number] = [0, 0]
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && bits[start + length] === 0) length++
    if (length > best[1]) best = [start, length]
  }
  return best
}

/**
 * The group that an address is counted in: an IPv4 address by itself, an IPv6 address by its prefix, because one
 * subscriber is handed a whole prefix (RIPE-690: /56 for homes, /48 for sites, /64 for phones).
 *
 * @param bits    from `parseAddress`
 * @param prefix  length of the IPv6 prefix in bits, 1–128
 * @returns `203.0.113.7` or `2001:db8:0:100::/56`; the two families can never meet in one group
 */
export function addressGroup(bits: AddressBits, prefix: number): string {
  if (isIpv4(bits)) return formatAddress(bits)
  const masked = new Uint16Array(8)
  for (let group = 0; group < 8; group++) {
    const kept = Math.min(16, Math.max(0, prefix - group * 16))
    masked[group] = bits[group]! & ((0xffff << (16 - kept)) & 0xffff)
  }
  // A short prefix may leave only zeros before `ffff`: then it would read as IPv4.
  const text = isIpv4(masked) ? '::ffff:0:0' : formatAddress(masked)
  return `${text}/${prefix}`
}

/** Some proxies write the port of the client along: `203.0.113.7:4711`, `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  const match = /^(?:\[([\da-f:.%\w]+)\]|([\d.]+))(?::\d{1,5})?$/i.exec(text.slice(0, 80))
  return match?.[1] ?? match?.[2] ?? text
}

/** A request as Express gives it: `ip` follows the app's `trust proxy`. */
export interface AddressedRequest {
  ip?: string | undefined
  socket?: Pick<IncomingMessage['socket'], 'remoteAddress'>
}

/** Who sent a request, by network address. */
export interface ClientAddress {
  /** The one spelling of the address (dotted quad or RFC 5952). */
  address: string
  /** What to count by: the address itself for IPv4, its prefix for IPv6. */
  group: string
}

/**
 * The client's address as Express sees it: `req.ip`, which obeys `trust proxy`, else the socket's; without a port, if a proxy
 * wrote one along. Forwarding headers are never read here: only the app knows which proxy to believe.
 *
 * @param req  an Express request, or any with a socket
 * @param options.ipv6Prefix  bits of an IPv6 address that name one subscriber, 1–128. Default 56
 * @returns `undefined` if there is none (a Unix socket, a closed connection) or it cannot be read
 */
export function clientAddress(
  req: AddressedRequest,
  options: { ipv6Prefix?: number } = {},
): ClientAddress | undefined {
  const text = req.ip ?? req.socket?.remoteAddress
  const bits = text === undefined ? undefined : parseAddress(withoutPort(text))
  if (bits === undefined) return undefined
  return {
    address: formatAddress(bits),
    group: addressGroup(bits, options.ipv6Prefix ?? 56),
  }
}
