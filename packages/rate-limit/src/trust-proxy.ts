import { isIpv4, parseAddress } from '@scale/core'
import type { LimitedRequest } from './partition-key.js'

/** How many requests are looked at: a wrong setting shows in the first ones. */
const LOOKS = 100

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
  return (req) => {
    if (looked >= LOOKS) return
    looked++
    const app = req.app as App | undefined
    if (typeof app?.get !== 'function') return
    const problem = problemOf(req, app.get('trust proxy'))
    if (problem === undefined || hasBeenSaid(app, problem.kind)) return
    process.emitWarning(problem.message, { code: 'SCALE_TRUST_PROXY' })
  }
}

function problemOf(req: LimitedRequest, setting: unknown): { kind: string; message: string } | undefined {
  const hops = hopsOf(req)
  const seen = `This request came from ${req.socket.remoteAddress ?? 'an unknown address'}${
    hops.length === 0 ? '' : `, which says it came by way of ${hops.join(' → ')}`
  }.`
  if (setting === true) {
    return {
      kind: 'everyone',
      message:
        `\`trust proxy\` is true, so each client chooses the address it is counted by. ${seen} ` +
        "Say how many proxies stand before the app: app.set('trust proxy', 1) for one.",
    }
  }
  if (hops.length === 0) return undefined
  if (setting === undefined || setting === false) {
    return {
      kind: 'nobody',
      message:
        `\`trust proxy\` is off, so everyone behind a proxy is counted as one client. ${seen} If that is your proxy, ` +
        `say how many there are: app.set('trust proxy', ${hops.length}) if no hop was made up.`,
    }
  }
  if (isInside(req.ip) && hops.some((hop) => !isInside(hop))) {
    return {
      kind: 'too few',
      message:
        `\`trust proxy\` trusts fewer proxies than there are: clients are counted as ${req.ip}, an address of your own ` +
        `network. ${seen} If no hop was made up: app.set('trust proxy', ${hops.length}).`,
    }
  }
  return undefined
}

/** The client first, as X-Forwarded-For tells it; at most 8 hops, and only what looks like an address. */
function hopsOf({ headers }: LimitedRequest): string[] {
  const field = headers['x-forwarded-for'] ?? headers.forwarded
  if (field === undefined) return []
  return String(field)
    .split(',')
    .slice(0, 8)
    .map((hop) => hop.trim().replace(/^for="?\[?([^\]";]*).*$/i, '$1'))
    .map((hop) => (parseAddress(hop) === undefined ? 'something unreadable' : hop))
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
