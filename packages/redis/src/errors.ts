import { ScaleError } from '@scale/core'

/**
 * Why an operation got no answer from Redis.
 *
 * - `not-ready`: the client has no connection; nothing was sent
 * - `breaker-open`: Redis failed lately; nothing was sent
 * - `timeout`: no reply within the deadline; the command may have been carried out
 * - `connection`: the connection broke; the command may have been carried out
 * - `refused`: the server cannot serve now (loading, read-only replica, cluster down); not carried out
 */
export type UnavailableReason = 'not-ready' | 'breaker-open' | 'timeout' | 'connection' | 'refused'

/** Redis gave no usable answer in time. What happens to the request then is the package's `onStoreError`. */
export class RedisUnavailable extends ScaleError {
  readonly reason: UnavailableReason

  /** @param retryAfterMs  when it is worth asking again, in ms. Sent as `Retry-After`, rounded up to seconds */
  constructor(reason: UnavailableReason, options: { retryAfterMs: number; cause?: unknown }) {
    super(`Redis is not available (${reason}).`, {
      code: 'ERR_SCALE_REDIS_UNAVAILABLE',
      status: 503,
      headers: { 'Retry-After': String(Math.max(1, Math.ceil(options.retryAfterMs / 1_000))) },
      cause: options.cause,
    })
    this.reason = reason
  }

  /** True if the command may have been carried out although no reply came. A write must not be repeated then. */
  get mayHaveHappened(): boolean {
    return this.reason === 'timeout' || this.reason === 'connection'
  }
}

/** A connection URL cannot be read. The message names the part, never the URL: it may hold a password. */
export class InvalidRedisUrl extends ScaleError {
  constructor(problem: string) {
    super(`The Redis URL is not usable: ${problem}.`, { code: 'ERR_SCALE_REDIS_URL' })
  }
}

const NOT_SERVING = /^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|MISCONF|BUSY|TRYAGAIN|OOM) /

/**
 * Tells a failure of the server or the way to it from an answer that is an error (`WRONGTYPE`, a failing script).
 *
 * @returns `undefined` if the server is well and the command was wrong
 */
export function unavailableReason(error: unknown): 'connection' | 'refused' | undefined {
  const { name, message } = error as Error
  if (name !== 'ReplyError') return 'connection'
  return NOT_SERVING.test(message) ? 'refused' : undefined
}
