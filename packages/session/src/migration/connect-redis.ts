import { createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { anyOf, arrayOf, func, object, resolveOptions, string } from '@scale/core'
import { type RedisClient, redisClient, storeGuard } from '@scale/redis'
import type { SessionStore } from '../store.js'
import { sameDigest } from '../stores/token.js'
import { type CookieOptions, cookie, readCookie } from '../transports/cookie.js'
import type { Transport } from '../transports/transport.js'
import { OURS, parseBlob } from './shared/blob.js'
import { SharedStore, type SharedStoreSetting } from './shared/store.js'

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
  /** Sessions stay where they are, for copies of the other package to use as well. Absent: they are taken over */
  readonly shared?: SharedSessions | undefined
}

/** Sessions of another package, used where they are. */
export interface SharedSessions {
  /** How their ids travel. */
  readonly transport: Transport
  /** Keeps them. */
  store(setting: SharedStoreSetting): SessionStore
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
  /**
   * For a rolling deploy: sessions stay where connect-redis keeps them, and in its form, and new ones begin there, so that copies
   * of express-session and of `session()` serve the same sessions side by side. Default none: they are taken over
   */
  shared?: SharedOptions
}

/** What is needed to begin sessions that copies of express-session can use. */
export interface SharedOptions {
  /** Puts the user into a session's data, where the old copies and `userIdOf` look. */
  withUserId: (data: Record<string, unknown>, userId: string) => Record<string, unknown>
  /** `cookie` of express-session, so that both set the same one. Default: that of `cookie()`, with the name of the old one */
  cookie?: Omit<CookieOptions, 'name'>
}

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
      shared: object,
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
      const { data, movedTo } = parseBlob(text)
      return movedTo === undefined ? { data, userId: userIdOf(data) } : { movedTo }
    },
    moved: async ({ sid }, to, ttlMs) => {
      const marker = JSON.stringify({ cookie: { originalMaxAge: null }, [OURS]: to })
      const args = [prefix + sid, marker, 'XX', 'GET', 'PX', Math.max(1, ttlMs)]
      const before = (await guard.call('set', args)) as string | null
      return before !== null && parseBlob(before).movedTo === undefined
    },
    shared: resolved.shared && sharedSessions({ ...resolved, shared: resolved.shared, secrets }),
  }
}

interface SharedConfig {
  readonly redis: RedisClient
  readonly prefix: string
  readonly cookieName: string
  readonly secrets: readonly string[]
  readonly userIdOf: ConnectRedisOptions['userIdOf']
  readonly shared: SharedOptions
}

function sharedSessions({
  redis,
  prefix,
  cookieName,
  secrets,
  userIdOf,
  shared,
}: SharedConfig): SharedSessions {
  const { withUserId, cookie: attributes } = resolveOptions('connectRedis: shared', shared, {
    checks: { withUserId: func, cookie: object },
    defaults: {},
    required: ['withUserId'],
  })
  const carrier = cookie({ ...attributes, name: cookieName })
  return {
    transport: {
      ...carrier,
      read: () => [],
      issue: (res, sid, ...more) => carrier.issue!(res, signed(sid, secrets[0]!), ...more),
    },
    store: (setting) =>
      new SharedStore(
        { redis, prefix, userIdOf, withUserId, attributes: { ...carrier.attributes } },
        setting,
      ),
  }
}

/** As express-session signs an id in its cookie. */
function signed(sid: string, secret: string): string {
  return encodeURIComponent(`s:${sid}.${signatureOf(sid, secret)}`)
}

function signatureOf(sid: string, secret: string): string {
  return createHmac('sha256', secret).update(sid).digest('base64').replace(/=+$/, '')
}

/** `s:{sid}.{HMAC-SHA256 of it in base64 without padding}`, percent-encoded. */
function signedBy(value: string, secrets: readonly string[]): OldSessionKey | undefined {
  const match = /^s(?::|%3A)([^.%]{1,256})\.([^.]{1,256})$/i.exec(value)
  if (match === null) return undefined
  const signature = decoded(match[2]!)
  if (signature === undefined) return undefined
  const sid = match[1]!
  const secret = secrets.find((candidate) => {
    return sameDigest(signatureOf(sid, candidate), signature)
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
