import type { ConnectionOptions } from 'node:tls'
import {
  durationMs,
  integer,
  type OptionChecks,
  object,
  type ResolvedOptions,
  resolveOptions,
} from '@scale/core'

/** How long to wait for Redis, and when to stop asking. One set per client: every package shares it. */
export interface GuardOptions {
  /** Longest wait for a reply, in ms, counted from the moment the command was written. 1–60,000. Default 100 */
  deadlineMs?: number
  /** Failures in a row that open the breaker, 1–1,000. Default 5 */
  breakerFailures?: number
  /** Pause before one probe is let through, in ms. 10–60,000. Default 500 */
  breakerPauseMs?: number
  /**
   * A connection that looks alive but has answered nothing for this long is cut, so that the client makes a new one,
   * in ms. 100 ms–10 min. Default 5,000
   */
  reconnectAfterMs?: number
}

/** The defaults of {@link GuardOptions}. */
export const guardDefaults: Readonly<Required<GuardOptions>> = Object.freeze({
  deadlineMs: 100,
  breakerFailures: 5,
  breakerPauseMs: 500,
  reconnectAfterMs: 5_000,
})

const checks: OptionChecks<GuardOptions> = {
  deadlineMs: durationMs(1, 60_000),
  breakerFailures: integer(1, 1_000),
  breakerPauseMs: durationMs(10, 60_000),
  reconnectAfterMs: durationMs(100, 600_000),
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
  /** For `rediss:`: what `tls.connect` takes, such as `ca`. Default `{}`: the system's authorities, names checked */
  tls?: ConnectionOptions
  /** Deadlines and breaker of the client's guard. Default: the guard's own */
  guard?: GuardOptions
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
  tls: object,
  guard: object,
}

export function resolveCreateRedisOptions(
  options: CreateRedisOptions | undefined,
): Readonly<ResolvedOptions<CreateRedisOptions, typeof createRedisDefaults>> {
  return resolveOptions('createRedis', options, { checks: createRedisChecks, defaults: createRedisDefaults })
}
