import { SessionMisuse } from '../errors.js'
import { timeoutMs } from '../options.js'
import type { SessionCookie } from '../session.js'
import type { CookieAttributes } from '../transports/transport.js'

/** What a session says of its cookie, and is told of it. */
export interface CookieOwner {
  /** How long the session lasts if nobody uses it again, in ms; null while the cookie is to go with the browser. */
  readonly remainingMs: number | null
  /** How long it lasts at all. */
  readonly originalMaxAge: number | null
  /** From now on the session lasts so long; null: the cookie goes with the browser. */
  last(maxAgeMs: number | null): void
}

/** `req.session.cookie`, as handlers for express-session use it: `maxAge` and `expires` to remember a login. */
export function sessionCookie(owner: CookieOwner, attributes: CookieAttributes | undefined): SessionCookie {
  const cookie = {
    get maxAge() {
      return owner.remainingMs
    },
    set maxAge(value: number | null | undefined) {
      if (value === null || value === undefined) {
        owner.last(null)
        return
      }
      const wanted = timeoutMs(value)
      if (wanted !== undefined) throw new SessionMisuse(`cookie: \`maxAge\` must be ${wanted}.`)
      owner.last(value)
    },
    get expires() {
      return owner.remainingMs === null ? null : new Date(Date.now() + owner.remainingMs)
    },
    set expires(value: Date | null | false | undefined) {
      cookie.maxAge = value ? Math.round(value.getTime() - Date.now()) : null
    },
    get originalMaxAge() {
      return owner.originalMaxAge
    },
    ...attributes,
  }
  return Object.freeze(cookie)
}
