import { ScaleError } from '@scale/core'

/**
 * Why an operation got no answer from Redis.
 *
 * - `not-ready`: the client has no connection; nothing was sent
 * - `breaker-open`: Redis is silent, though it was asked; nothing was sent
 * - `too-many-waiting`: `maxWaiting` operations wait already; nothing was sent
 * - `timeout`: no reply in time; the command may have been carried out
 * - `connection`: the connection broke; the command may have been carried out
 * - `refused`: the server cannot serve it now (loading, a replica, full memory, cluster down); not carried out
 * - `denied`: the user of this connection may not send this command, or is not logged in; not carried out
 */
export type UnavailableReason =
  | 'not-ready'
  | 'breaker-open'
  | 'too-many-waiting'
  | 'timeout'
  | 'connection'
  | 'refused'
  | 'denied'

/** Redis gave no usable answer in time. What happens to the request then is the package's `onStoreError`. */
export class RedisUnavailable extends ScaleError {
  readonly reason: UnavailableReason

  /** @param retryAfterMs  when it is worth asking again, in ms. Sent as `Retry-After`, rounded up to seconds */
  constructor(reason: UnavailableReason, options: { retryAfterMs: number; cause?: unknown }) {
    super(`Redis is not available (${reason})${because(options.cause)}.`, {
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

/** What the server or the client said: without keys and values, which no error of theirs has. */
function because(cause: unknown): string {
  return cause instanceof Error ? `: ${cause.message.slice(0, 200).replace(/\.$/, '')}` : ''
}

/** A connection URL cannot be read. The message names the part, never the URL: it may hold a password. */
export class InvalidRedisUrl extends ScaleError {
  constructor(problem: string) {
    super(`The Redis URL is not usable: ${problem}.`, { code: 'ERR_SCALE_REDIS_URL' })
  }
}
