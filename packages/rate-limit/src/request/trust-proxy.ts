import { clientAddress, isIpv4, parseAddress } from '@scale/core'
import type { LimitedRequest } from './partition.js'

/** How many requests are looked at: a wrong setting shows in the first ones. */
const LOOKS = 100
/** After how many requests from inside of which none names a client it is said that the proxy does not. */
const SILENT = 20

interface App {
  get(setting: string): unknown
}

/** What has been said, of which app. */
const said = new WeakMap<object, Set<string>>()

/**
 * Looks whether Express' `trust proxy` fits what it sees, and warns once of each way in which it does not: then clients
 * are counted by an address that is not theirs. Stops after the first requests.
 */
export function trustProxyDoctor(): (req: LimitedRequest) => void {
  let looked = 0
  let unnamed = 0
  return (req) => {
    if (looked >= LOOKS) return
    looked++
    const app = req.app as App | undefined
    if (typeof app?.get !== 'function') return
    const setting = app.get('trust proxy')
    if (!isUnnamed(req)) unnamed = Number.NEGATIVE_INFINITY
    else if (setting) unnamed++
    const problem = unnamed === SILENT ? silentProxy(req) : problemOf(req, setting)
    if (problem === undefined || hasBeenSaid(app, problem.kind)) return
    process.emitWarning(problem.message, { code: 'SCALE_TRUST_PROXY' })
  }
}

/** Fields in which edges name the client, each as nobody but that edge writes it. Express reads none of them. */
const EDGE_FIELDS = ['cf-connecting-ip', 'true-client-ip', 'fly-client-ip', 'fastly-client-ip']

/** Fields that a proxy writes in place of X-Forwarded-For; of two proxies in a row the second names the first. */
const OTHER_FIELDS = [...EDGE_FIELDS, 'x-real-ip', 'forwarded']

function problemOf(req: LimitedRequest, setting: unknown): { kind: string; message: string } | undefined {
  const { headers } = req
  const hops = hopsOf(headers['x-forwarded-for'])
  const from = `This request came from ${req.socket.remoteAddress ?? 'an unknown address'}`
  const other = OTHER_FIELDS.find((field) => headers[field] !== undefined)
  const seen = hops.length === 0 ? `${from}.` : `${from}, which says it came by way of ${hops.join(' → ')}.`
  const advice = adviceOf(req, hops)
  if (setting === true) {
    return {
      kind: 'everyone',
      message: `\`trust proxy\` is true, so each client chooses the address it is counted by. ${seen} ${advice}`,
    }
  }
  if (hops.length === 0) {
    if (other === undefined) return undefined
    return {
      kind: 'another field',
      message:
        `A proxy tells the client in \`${other}\`, which Express does not read, so everyone behind it is counted as one client. ` +
        `${from}. Let the proxy write \`X-Forwarded-For\` and set \`trust proxy\`; or, if nobody else can reach this app, count ` +
        `by that field: partitionKey: (req) => address(…).`,
    }
  }
  if (setting === undefined || setting === false) {
    return {
      kind: 'nobody',
      message: `\`trust proxy\` is off, so everyone behind a proxy is counted as one client. ${seen} If that is your proxy: ${advice}`,
    }
  }
  const counted = hops.lastIndexOf(spelling(req.ip))
  const client = edgeIndex(req, hops)
  if ((client !== -1 && counted > client) || (isInside(req.ip) && hops.some((hop) => !isInside(hop)))) {
    return {
      kind: 'too few',
      message:
        `\`trust proxy\` trusts fewer proxies than there are: clients are counted as ${req.ip}, ` +
        `which is a proxy. ${seen} ${advice}`,
    }
  }
  if (client !== -1 && counted !== -1 && counted < client) {
    return {
      kind: 'too many',
      message:
        `\`trust proxy\` trusts more proxies than there are, so a client that writes \`X-Forwarded-For\` itself chooses the ` +
        `address it is counted by. ${seen} ${advice}`,
    }
  }
  return undefined
}

/** Whether it came from inside, and nothing says who is behind it. */
function isUnnamed({ headers, socket }: LimitedRequest): boolean {
  const fields = ['x-forwarded-for', ...OTHER_FIELDS]
  return isInside(socket.remoteAddress) && fields.every((field) => headers[field] === undefined)
}

function silentProxy({ socket }: LimitedRequest): { kind: string; message: string } {
  return {
    kind: 'a silent proxy',
    message:
      `\`trust proxy\` is set, and none of ${SILENT} requests that came from ${socket.remoteAddress} had \`X-Forwarded-For\`: if that ` +
      'is your proxy, all its visitors are counted as one client. Let it write the field, as docs/guides/nginx.md and docs/guides/haproxy.md do.',
  }
}

/**
 * How many proxies there are. Each adds who came to it, so what stands on the left may be made up: only a client that an edge names,
 * and addresses of the own network on the right, are sure.
 */
function adviceOf(req: LimitedRequest, hops: readonly string[]): string {
  const client = edgeIndex(req, hops)
  const outer = hops.findLastIndex((hop) => !isInside(hop))
  const least = Math.max(
    1,
    client !== -1 ? hops.length - client : outer === -1 ? hops.length : hops.length - outer,
  )
  const more =
    client !== -1 || least >= hops.length
      ? ''
      : `, or up to ${hops.length} if ${hops[outer]} is a proxy of yours, too`
  return `Say how many proxies stand before the app: app.set('trust proxy', ${least})${more}.`
}

/** Where the client is, of whom an edge tells; −1 if none does. */
function edgeIndex({ headers }: LimitedRequest, hops: readonly string[]): number {
  const field = EDGE_FIELDS.find((name) => headers[name] !== undefined)
  return field === undefined ? -1 : hops.lastIndexOf(spelling(String(headers[field])))
}

function spelling(address: string | undefined): string {
  return (
    (address === undefined ? undefined : clientAddress({ ip: address })?.address) ?? 'something unreadable'
  )
}

/** The client first, as X-Forwarded-For tells it; the 8 nearest hops, and only what looks like an address. */
function hopsOf(field: string | readonly string[] | undefined): string[] {
  if (field === undefined) return []
  return String(field)
    .split(',')
    .slice(-8)
    .map((hop) => spelling(hop.trim()))
}

/** Loopback, link-local, private (RFC 1918, RFC 6598) and unique local (RFC 4193) addresses. */
function isInside(address: string | undefined): boolean {
  const bits = address === undefined ? undefined : parseAddress(address)
  if (bits === undefined) return false
  if (!isIpv4(bits)) {
    const isLoopback = bits[7] === 1 && bits.subarray(0, 7).every((group) => group === 0)
    return isLoopback || (bits[0]! & 0xfe00) === 0xfc00 || (bits[0]! & 0xffc0) === 0xfe80
  }
  const [first, second] = [bits[6]! >> 8, bits[6]! & 255]
  return (
    first === 10 ||
    first === 127 ||
    (first === 172 && second >= 16 && second < 32) ||
    (first === 192 && second === 168) ||
    (first === 169 && second === 254) ||
    (first === 100 && second >= 64 && second < 128)
  )
}

function hasBeenSaid(app: object, kind: string): boolean {
  let kinds = said.get(app)
  if (kinds === undefined) {
    kinds = new Set()
    said.set(app, kinds)
  }
  if (kinds.has(kind)) return true
  kinds.add(kind)
  return false
}
