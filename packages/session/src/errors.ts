import { ScaleError } from '@scale/core'

/** A request needs a logged-in session and has none. */
export class SessionRequired extends ScaleError {
  /** @param challenge  value of `WWW-Authenticate`, where a transport has one */
  constructor(challenge: string | undefined) {
    super('This needs a session: log in first.', {
      code: 'ERR_SCALE_SESSION_REQUIRED',
      status: 401,
      ...(challenge === undefined ? {} : { headers: { 'WWW-Authenticate': challenge } }),
    })
  }
}

/**
 * The session ended while the request was under way: destroyed, revoked, expired, or `elevate()` replaced its token.
 * Nothing was written.
 */
export class SessionEnded extends ScaleError {
  constructor() {
    super('The session ended while this request was under way; nothing was saved.', {
      code: 'ERR_SCALE_SESSION_ENDED',
      status: 401,
    })
  }
}

/** Another request changed the same keys of the session first. Nothing was written. */
export class SessionConflict extends ScaleError {
  /** Names of the top-level keys that both changed. */
  readonly keys: readonly string[]

  constructor(keys: readonly string[]) {
    super('Another request changed the same part of the session first; nothing was saved.', {
      code: 'ERR_SCALE_SESSION_CONFLICT',
      status: 409,
    })
    this.keys = keys
  }
}

/** The user has as many sessions as `maxPerUser.quota` allows, and `evict` is `'reject'`. */
export class TooManySessions extends ScaleError {
  constructor(quota: number) {
    super(`There are ${quota} sessions of this user already; end one of them first.`, {
      code: 'ERR_SCALE_SESSION_QUOTA',
      status: 409,
    })
  }
}

/** What is to be stored is too large, is not JSON, or does not fit the schema. Nothing was written. */
export class InvalidSessionData extends ScaleError {
  /** Names of the top-level keys that it is about; empty if it is the whole. */
  readonly keys: readonly string[]

  constructor(problem: string, { keys = [], cause }: { keys?: readonly string[]; cause?: unknown } = {}) {
    super(`The session's data cannot be stored: ${problem}.`, { code: 'ERR_SCALE_SESSION_DATA', cause })
    this.keys = keys
  }
}

/** A call that cannot be served: a wrong argument, or too late to send a cookie. A fault of the program. */
export class SessionMisuse extends ScaleError {
  constructor(message: string) {
    super(message, { code: 'ERR_SCALE_SESSION_MISUSE' })
  }
}
