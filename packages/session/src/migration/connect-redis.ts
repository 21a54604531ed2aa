import { createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { anyOf, arrayOf, func, resolveOptions, string } from '@scale/core'
import { type RedisClient, redisClient, storeGuard } from '@scale/redis'
import { sameDigest } from '../stores/token.js'
import { readCookie } from '../transports/cookie.js'

/** Sessions of another package, which become ours at their next use. */
export interface SessionMigration {
  /** The old session that a request proves to have, or `undefined`. Asks no store. */
  find(headers: IncomingHttpHeaders): OldSessionKey | undefined
  /** What is stored under it, or nothing. */
  read(key: OldSessionKey): Promise<OldSession | undefined>
  /**
   * Writes down where it has gone, for `ttlMs`, in the place of what was stored.
   *
   * @returns false if it was not there any more, or had gone already
   */
  moved(key: OldSessionKey, to: string, ttlMs: number): Promise<boolean>
}

/** An old session's data; or where it has gone, if it was taken over. */
export type OldSession = { data: Record<string, unknown>; userId: string | undefined } | { movedTo: string }

/** An old session's id, and the secret that its client proved. */
export interface OldSessionKey {
  readonly sid: string
  /** The secret that signed the cookie: what the new token is derived from. */
  readonly secret: string
}

/** Options of `connectRedis`. */
export interface ConnectRedisOptions {
  /** Where connect-redis keeps its sessions. */
  redis: RedisClient
  /** `secret` of express-session: one, or all that are still in use. */
  secrets: string | readonly string[]
  /** The user id in an old session's data; `undefined` if nobody is logged in. */
  userIdOf: (data: Record<string, unknown>) => string | undefined
  /** `name` of express-session. Default `connect.sid` */
  cookieName?: string
  /** `prefix` of connect-redis. Default `sess:` */
  prefix?: string
}

/** Names the field that says where a session has gone. The rest is an empty session to those who do not know it. */
const MOVED = '@scale/session'

/**
 * Reads the sessions of express-session with connect-redis, for `session({ migrateFrom })`: nobody has to log in again.
 *
 * @throws {InvalidOption} an option is wrong
 */
export function connectRedis(options: ConnectRedisOptions): SessionMigration {
  const secret = string(1, 4_096)
  const resolved = resolveOptions('connectRedis', options, {
    checks: {
      redis: redisClient,
      secrets: anyOf(secret, arrayOf(secret, 1)),
      userIdOf: func,
      cookieName: string(1, 128),
      prefix: string(0, 64),
    },
    defaults: { cookieName: 'connect.sid', prefix: 'sess:' },
    required: ['redis', 'secrets', 'userIdOf'],
  })
  const { cookieName, prefix, userIdOf } = resolved
  const secrets = [resolved.secrets].flat()
  const guard = storeGuard(resolved.redis)

  return {
    find: ({ cookie }) => {
      if (cookie === undefined) return undefined
      for (const value of readCookie(cookie, cookieName)) {
        const key = signedBy(value, secrets)
        if (key !== undefined) return key
      }
      return undefined
    },
    read: async ({ sid }) => {
      const text = (await guard.call('get', [prefix + sid])) as string | null
      if (text === null) return undefined
      const { cookie: _, [MOVED]: movedTo, ...data } = JSON.parse(text) as Record<string, unknown>
      return typeof movedTo === 'string' ? { movedTo } : { data, userId: userIdOf(data) }
    },
    moved: async ({ sid }, to, ttlMs) => {
      const marker = JSON.stringify({ cookie: { originalMaxAge: null }, [MOVED]: to })
      const args = [prefix + sid, marker, 'XX', 'GET', 'PX', Math.max(1, ttlMs)]
      const before = (await guard.call('set', args)) as string | null
      return before !== null && !(MOVED in (JSON.parse(before) as object))
    },
  }
}

/** `s:{sid}.{HMAC-SHA256 of it in base64 without padding}`, percent-encoded. */
function signedBy(value: string, secrets: readonly string[]): OldSessionKey | undefined {
  const match = /^s(?::|%3A)([^.%]{1,256})\.([^.]{1,256})$/i.exec(value)
  if (match === null) return undefined
  const signature = decoded(match[2]!)
  if (signature === undefined) return undefined
  const sid = match[1]!
  const secret = secrets.find((candidate) => {
    const wanted = createHmac('sha256', candidate).update(sid).digest('base64').replace(/=+$/, '')
    return sameDigest(wanted, signature)
  })
  return secret === undefined ? undefined : { sid, secret }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
