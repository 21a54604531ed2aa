import { SessionMisuse } from '../errors.js'
import { timeoutMs } from '../options.js'
import type { SessionCookie } from '../session.js'
import type { Exchange } from './exchange.js'
import type { SessionLife } from './session-life.js'

/** `req.session.cookie`, as handlers for express-session use it: `maxAge` and `expires` to remember a login. */
export function sessionCookie(life: SessionLife, exchange: Exchange): SessionCookie {
  const last = (maxAgeMs: number | null): void => {
    life.told = { maxAgeMs }
    exchange.follow()
  }
  const cookie = {
    get maxAge() {
      return life.remainingMs()
    },
    set maxAge(value: number | null | undefined) {
      if (value === null || value === undefined) {
        last(null)
        return
      }
      const wanted = timeoutMs(value)
      if (wanted !== undefined) throw new SessionMisuse(`cookie: \`maxAge\` must be ${wanted}.`)
      last(value)
    },
    get expires() {
      const remainingMs = life.remainingMs()
      return remainingMs === null ? null : new Date(Date.now() + remainingMs)
    },
    set expires(value: Date | null | false | undefined) {
      cookie.maxAge = value ? Math.round(value.getTime() - Date.now()) : null
    },
    get originalMaxAge() {
      if (life.told !== undefined) return life.told.maxAgeMs
      return life.held?.persistent === true ? life.held.idleTimeoutMs : null
    },
    ...exchange.attributes,
  }
  return Object.freeze(cookie)
}
