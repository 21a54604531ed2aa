import {
  boolean,
  durationMs,
  func,
  integer,
  number,
  type OptionCheck,
  type OptionChecks,
  object,
  string,
} from '@scale/core'
import type { StoredResponse } from './http/stored-response.js'
import type { StaleStore } from './stale-store.js'

/** Options of `policy`. */
export interface PolicyOptions {
  /** Longest time of a call, all tries and the body of its response included. A request's own deadline shortens it. Default 10,000 */
  deadlineMs?: number
  /** Longest time of one try, up to the head of its response. Default 3,000 */
  tryTimeoutMs?: number
  /** Most calls at once; no more sockets than this are opened. Default 100 */
  maxConcurrent?: number
  /** Most calls that wait for their turn, 0 for none. Default 100 */
  maxWaiting?: number
  /** How often a call that may be repeated is sent again, 0 for never. Default 2 */
  maxRetries?: number
  /** The first pause before a repetition is at most this; each further one at most twice the one before. Default 50 */
  retryBaseMs?: number
  /** No pause is longer, unless the other side asks for it by `Retry-After`. Default 2,000 */
  retryMaxMs?: number
  /** Repetitions and hedges are at most this share of the calls. Default 0.1 */
  retryRatio?: number
  /** So many more are saved up, for quiet times. Default 10 */
  retryBurst?: number
  /** A call that may be repeated is sent a second time if it has taken so long; the first answer counts. Default: never */
  hedgeAfterMs?: number
  /** The breaker opens when this share of the calls within `windowMs` has failed; 1 if all must have. Default 0.5 */
  failureRatio?: number
  /** What is older, the breaker has forgotten. Default 10,000 */
  windowMs?: number
  /** With fewer calls than this in `windowMs` the breaker does not open. Default 20 */
  minCalls?: number
  /** How long it stays open before it lets probes through. Default 5,000 */
  openMs?: number
  /** So many probes must go well before it closes. Default 3 */
  probes?: number
  /** How long a fallback may take; it is begun so long before the deadline. Default 100 */
  fallbackMs?: number
  /** Whether an error says that the other side is unwell. Default: all but those that carry a `status` below 500 */
  isFailure?: (error: unknown) => boolean
}

export interface PolicyDefaults {
  readonly deadlineMs: 10_000
  readonly tryTimeoutMs: 3_000
  readonly maxConcurrent: 100
  readonly maxWaiting: 100
  readonly maxRetries: 2
  readonly retryBaseMs: 50
  readonly retryMaxMs: 2_000
  readonly retryRatio: 0.1
  readonly retryBurst: 10
  readonly failureRatio: 0.5
  readonly windowMs: 10_000
  readonly minCalls: 20
  readonly openMs: 5_000
  readonly probes: 3
  readonly fallbackMs: 100
}

export const policyDefaults: PolicyDefaults = Object.freeze({
  deadlineMs: 10_000,
  tryTimeoutMs: 3_000,
  maxConcurrent: 100,
  maxWaiting: 100,
  maxRetries: 2,
  retryBaseMs: 50,
  retryMaxMs: 2_000,
  retryRatio: 0.1,
  retryBurst: 10,
  failureRatio: 0.5,
  windowMs: 10_000,
  minCalls: 20,
  openMs: 5_000,
  probes: 3,
  fallbackMs: 100,
})

/** An hour: who waits longer has left. */
const LONGEST_MS = 3_600_000
const MOST = 100_000

export const policyChecks: OptionChecks<PolicyOptions> = {
  deadlineMs: durationMs(1, LONGEST_MS),
  tryTimeoutMs: durationMs(1, LONGEST_MS),
  maxConcurrent: integer(1, MOST),
  maxWaiting: integer(0, MOST),
  maxRetries: integer(0, 10),
  retryBaseMs: durationMs(1, LONGEST_MS),
  retryMaxMs: durationMs(1, LONGEST_MS),
  retryRatio: number(0, 1),
  retryBurst: integer(0, MOST),
  hedgeAfterMs: durationMs(1, LONGEST_MS),
  failureRatio: number(0.01, 1),
  windowMs: durationMs(100, LONGEST_MS),
  minCalls: integer(1, MOST),
  openMs: durationMs(1, LONGEST_MS),
  probes: integer(1, 100),
  fallbackMs: durationMs(0, LONGEST_MS),
  isFailure: func,
}

/** Options of `upstream`. */
export interface UpstreamOptions {
  /** Names it in channels, metrics and errors, 1–64 characters. */
  name: string
  /** `http:` or `https:`; calls stay below its path. */
  baseUrl: string | URL
  /** How calls to it are made. Default: that of `PolicyOptions` */
  policy?: PolicyOptions
  /** Sent with each call, unless the call says otherwise. Default: none */
  headers?: Record<string, string>
  /** How long an idle connection is kept, if the other side names no time. Default 4,000 */
  keepAliveMs?: number
  /** Tells the other side by `Request-Timeout` how long its answer is waited for. Default `true` */
  sendDeadline?: boolean
  /** Where the last good answer to each GET is kept, to be given when there is none. Default: nowhere */
  stale?: StaleStore<StoredResponse>
  /** What to answer if a call fails and there is nothing stale. Default: the failure */
  fallback?: (error: unknown, path: string, init: RequestInit) => Response | PromiseLike<Response>
}

export interface UpstreamDefaults {
  readonly keepAliveMs: 4_000
  readonly sendDeadline: true
}

export const upstreamDefaults: UpstreamDefaults = Object.freeze({
  keepAliveMs: 4_000,
  sendDeadline: true,
})

const baseUrl: OptionCheck = (value) => {
  const wanted = 'an address with http: or https:, without user, query and fragment'
  if (!URL.canParse(String(value))) return wanted
  const { protocol, username, search, hash } = new URL(String(value))
  const isPlain = username === '' && search === '' && hash === ''
  return isPlain && (protocol === 'http:' || protocol === 'https:') ? undefined : wanted
}

const store: OptionCheck = (value) =>
  object(value) === undefined &&
  ['get', 'set'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
    ? undefined
    : 'an object with `get` and `set`'

export const upstreamChecks: OptionChecks<UpstreamOptions> = {
  name: string(1, 64),
  baseUrl,
  policy: object,
  headers: object,
  keepAliveMs: durationMs(1, LONGEST_MS),
  sendDeadline: boolean,
  stale: store,
  fallback: func,
}
