import { address, partition, rateLimit, user } from '@scale/rate-limit'
import type { RedisClient } from '@scale/redis'
import { bearer, cookie, loggedIn, memoryStore, type Sessions, session } from '@scale/session'
import type { Request, RequestHandler } from 'express'
import type { Config } from './config.js'

/** The middleware that stands in front of routes. */
export interface Guards {
  sessions: Sessions
  /** The same sessions, for what may happen once: of two requests that change the same part, the second fails. */
  strictSessions: Sessions
  /** Reads of a profile, per user. */
  profileQuota: RequestHandler
  /** Failed sign-ins, per account and address together. */
  loginQuota: RequestHandler
  /** Logins that begin at a provider, per address: each keeps something in a session. */
  beginQuota: RequestHandler
}

/** @param redis  `undefined`: everything stays in this process, which is all there is */
export function guards(config: Config, redis: RedisClient | undefined): Guards {
  const store = redis === undefined ? { allowMemoryStore: true } : { redis }
  const kept = {
    ...(redis === undefined ? { store: memoryStore() } : { redis }),
    transport: [bearer(), cookie()],
  }
  return {
    sessions: session(kept),
    strictSessions: session({ ...kept, conflict: 'fail' }),
    profileQuota: rateLimit({
      ...store,
      name: 'profile',
      policies: [{ name: 'profile', quota: config.PROFILE_QUOTA, windowMs: config.PROFILE_WINDOW_MS }],
      partitionKey: (req) => user(loggedIn(req).userId),
    }),
    loginQuota: rateLimit({
      ...store,
      name: 'login',
      policies: [{ name: 'failed-logins', quota: 5, windowMs: 60_000 }],
      partitionKey: (req) => [partition('account', accountOf(req as Request)), address(req)],
      // Every attempt takes one, so that parallel guesses count too; one that was no wrong guess gives it back.
      settle: (_req, res) => (res.statusCode === 401 ? 1 : 0),
    }),
    beginQuota: rateLimit({
      ...store,
      name: 'begin-login',
      policies: [{ name: 'begun-logins', quota: 60, windowMs: 60_000 }],
    }),
  }
}

function accountOf(req: Request): string {
  return String((req.body as { email?: unknown }).email).toLowerCase()
}
