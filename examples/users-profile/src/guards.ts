import { address, type Partition, partition, rateLimit, user } from '@scale/rate-limit'
import type { RedisClient } from '@scale/redis'
import { bearer, cookie, loggedIn, memoryStore, type Sessions, session } from '@scale/session'
import type { Request, RequestHandler } from 'express'
import type { Config } from './config.js'
import { accountKey } from './services/account-key.js'
import { askReset, credentials } from './validators.js'

/** The middleware that stands in front of routes. */
export interface Guards {
  sessions: Sessions
  /** The same sessions, for what may happen once: of two requests that change the same part, the second fails. */
  strictSessions: Sessions
  /** Reads of a profile, per user. */
  profileQuota: RequestHandler
  /** Failed sign-ins: of an account from one address, from one address, and of an account from anywhere. */
  loginQuota: RequestHandler
  /** New accounts, per address: each makes a mail to somebody. */
  registrationQuota: RequestHandler
  /** Wrong passwords of whoever is logged in and wants another. */
  passwordQuota: RequestHandler
  /** Links asked for by mail: for an account, and from an address. Asked for nobody they cost the same. */
  resetQuota: RequestHandler
  /** Tries to use such a link, per address. */
  linkQuota: RequestHandler
  /** Logins that begin at a provider, per address: each keeps something in a session. */
  beginQuota: RequestHandler
}

/** @param redis  `undefined`: everything stays in this process, which is all there is */
export function guards(config: Config, redis: RedisClient | undefined): Guards {
  const store = redis === undefined ? { allowMemoryStore: true } : { redis }
  const kept = {
    ...(redis === undefined ? { store: memoryStore() } : { redis }),
    // Over http browsers keep a Secure cookie for localhost at best, and Safari not even there.
    transport: [bearer(), cookie({ secure: config.NODE_ENV === 'production' })],
    // All of a user's sessions fit on one page of the list.
    maxPerUser: { quota: 50, evict: 'oldest' as const },
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
      policies: [
        {
          name: 'failed-logins',
          quota: 5,
          windowMs: 60_000,
          partitionKey: (req) => [account(req), address(req)],
        },
        // One guess on each of many accounts.
        { name: 'from-address', quota: 20, windowMs: 60_000, partitionKey: address },
        // Many addresses on one account. Above what people mistype, for whoever reaches it locks the owner out as well.
        { name: 'of-account', quota: 100, windowMs: 3_600_000, partitionKey: account },
      ],
      // Every attempt takes one, so that parallel guesses count too; one that was no wrong guess gives it back.
      settle: (_req, res) => (res.statusCode === 401 ? 1 : 0),
    }),
    registrationQuota: rateLimit({
      ...store,
      name: 'registration',
      policies: [{ name: 'registrations', quota: config.REGISTRATION_QUOTA, windowMs: 60_000 }],
    }),
    passwordQuota: rateLimit({
      ...store,
      name: 'password',
      policies: [{ name: 'wrong-passwords', quota: 5, windowMs: 60_000 }],
      partitionKey: (req) => user(loggedIn(req).userId),
      settle: (_req, res) => (res.statusCode === 401 ? 1 : 0),
    }),
    resetQuota: rateLimit({
      ...store,
      name: 'reset',
      policies: [
        {
          name: 'of-account',
          quota: 3,
          windowMs: 3_600_000,
          partitionKey: (req) => partition('account', accountKey(askReset.valid(req).body.email)),
        },
        { name: 'from-address', quota: 20, windowMs: 3_600_000, partitionKey: address },
      ],
    }),
    linkQuota: rateLimit({
      ...store,
      name: 'link',
      policies: [{ name: 'links', quota: 20, windowMs: 60_000 }],
    }),
    beginQuota: rateLimit({
      ...store,
      name: 'begin-login',
      policies: [{ name: 'begun-logins', quota: 60, windowMs: 60_000 }],
    }),
  }
}

/** Whose account is meant, in the one spelling under which the database knows it. */
function account(req: Request): Partition {
  return partition('account', accountKey(credentials.valid(req).body.email))
}
