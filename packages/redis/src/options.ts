import type { ConnectionOptions } from 'node:tls'
import {
  durationMs,
  func,
  integer,
  type OptionChecks,
  object,
  type ResolvedOptions,
  resolveOptions,
} from '@scale/core'

/** How long to wait for Redis, and when it counts as gone. One set per client: every package shares it. */
export interface GuardOptions {
  /**
   * Longest wait for a reply of those who can do without (reads of a cache, quotas that are `open` or `local`), in ms, counted from
   * the moment the command was written. 1–60,000. Default 100
   */
  deadlineMs?: number
  /**
   * Longest wait for a reply of those who would have to refuse (sessions, refresh tokens, revocations, quotas that are `closed`):
   * a late answer is better than a wrong refusal, in ms. 1–60,000. Default 1,000
   */
  patienceMs?: number
  /** A server that was asked and has said nothing at all for this long counts as gone, in ms. 10–60,000. Default 1,000 */
  silenceMs?: number
  /**
   * A connection that has been silent for this long is cut, so that the client makes a new one, in ms; after ten seconds without
   * a request already when `silenceMs` is over. 10 ms–10 min. Default 5,000
   */
  reconnectAfterMs?: number
  /** Operations that may wait at once; further ones fail at once. 1–1,000,000. Default 10,000 */
  maxWaiting?: number
}

/** The defaults of {@link GuardOptions}. */
export const guardDefaults: Readonly<Required<GuardOptions>> = Object.freeze({
  deadlineMs: 100,
  patienceMs: 1_000,
  silenceMs: 1_000,
  reconnectAfterMs: 5_000,
  maxWaiting: 10_000,
})

const checks: OptionChecks<GuardOptions> = {
  deadlineMs: durationMs(1, 60_000),
  patienceMs: durationMs(1, 60_000),
  silenceMs: durationMs(10, 60_000),
  reconnectAfterMs: durationMs(10, 600_000),
  maxWaiting: integer(1, 1_000_000),
}

export function resolveGuardOptions(
  options: GuardOptions | undefined,
): Readonly<ResolvedOptions<GuardOptions, typeof guardDefaults>> {
  return resolveOptions('storeGuard', options, { checks, defaults: guardDefaults })
}

/** What {@link createRedis} takes beside the URL. */
export interface CreateRedisOptions {
  /** Longest wait for a TCP connection, in ms. 50–60,000. Default 2,000 */
  connectTimeoutMs?: number
  /** Upper bound of the random wait before a new try to connect, in ms. 10–60,000. Default 1,000 */
  maxReconnectDelayMs?: number
  /** Shown by CLIENT LIST. 1–64 characters without spaces. Default none */
  connectionName?: string
  /** IP version of addresses: 0 for whichever there is, 4 or 6. Default: as the URL says, else 0 */
  family?: 0 | 4 | 6
  /** Another way to resolve host names. Default: the system's */
  dnsLookup?: (
    name: string,
    callback: (error: Error | null, address: string, family?: number) => void,
  ) => void
  /**
   * For Cluster and Sentinel behind another network: where a server is found that is announced as `host:port`. Default: where it
   * says
   */
  natMap?: Readonly<Record<string, { readonly host: string; readonly port: number }>>
  /** For Sentinel: user, password and TLS of the sentinels themselves. Default: none of them, or as the URL says */
  sentinel?: SentinelAccess
  /** For `rediss:`: what `tls.connect` takes, such as `ca`. Default `{}`: the system's authorities, names checked */
  tls?: ConnectionOptions
  /** Deadlines and breaker of the client's guard. Default: the guard's own */
  guard?: GuardOptions
}

/** How sentinels let somebody in. */
export interface SentinelAccess {
  /** Default: none */
  username?: string
  /** Default: none */
  password?: string
  /** What `tls.connect` takes. Default: no TLS */
  tls?: ConnectionOptions
}

/** The defaults of {@link CreateRedisOptions}. */
export const createRedisDefaults: Readonly<
  Required<Pick<CreateRedisOptions, 'connectTimeoutMs' | 'maxReconnectDelayMs' | 'tls'>>
> = Object.freeze({
  connectTimeoutMs: 2_000,
  maxReconnectDelayMs: 1_000,
  tls: Object.freeze({}),
})

const createRedisChecks: OptionChecks<CreateRedisOptions> = {
  connectTimeoutMs: durationMs(50, 60_000),
  maxReconnectDelayMs: durationMs(10, 60_000),
  connectionName: (value) =>
    typeof value === 'string' && /^[\x21-\x7e]{1,64}$/.test(value)
      ? undefined
      : '1 to 64 characters without spaces',
  family: (value) => (value === 0 || value === 4 || value === 6 ? undefined : '0, 4 or 6'),
  dnsLookup: func,
  natMap: object,
  sentinel: object,
  tls: object,
  guard: object,
}

export function resolveCreateRedisOptions(
  options: CreateRedisOptions | undefined,
): Readonly<ResolvedOptions<CreateRedisOptions, typeof createRedisDefaults>> {
  return resolveOptions('createRedis', options, { checks: createRedisChecks, defaults: createRedisDefaults })
}
