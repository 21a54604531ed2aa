import { keyPart, keyspace, type RedisClient } from '@scale/redis'
import { createQuota, type Quota } from '../algorithms/quota.js'
import type { Balance, Charge } from '../store.js'
import { ownKeys } from './key-owners.js'
import { redisStore } from './redis.js'

/** A store in the shape that express-rate-limit 7 and 8 take. */
export interface ExpressRateLimitStore {
  readonly prefix: string
  /** The keys are shared with other processes. */
  readonly localKeys: false
  init(options: { windowMs: number }): void
  /** Counts a request, also above the limit. @throws {RedisUnavailable} no answer in time; it may have been counted */
  increment(key: string): Promise<{ totalHits: number; resetTime: Date }>
  /** Takes back one request of the window that runs now. */
  decrement(key: string): Promise<void>
  resetKey(key: string): Promise<void>
  get(key: string): Promise<{ totalHits: number; resetTime: Date } | undefined>
  /** Gives the prefix up, which another store may then have. */
  shutdown(): void
}

/** More than can ever be counted in a window: express-rate-limit compares by itself. */
const COUNT_ALL = 2 ** 51

/**
 * Lets an app that uses express-rate-limit keep its counts where ours are, by one changed line: with a deadline, one
 * command for all requests of a turn, and no key without expiry. Its limits stay those of a fixed window.
 *
 * @param options.redis       the app's client
 * @param options.prefix      sets apps, and limiters of one app, apart: of one client no two stores may have the same. Default `scale`
 * @param options.deadlineMs  longest wait for Redis, in ms. Default: the guard's
 * @throws {InvalidOption} another store of this client has the prefix, is in use and not shut down
 * @example rateLimit({ windowMs: 60_000, limit: 10, store: expressRateLimitStore({ redis, prefix: 'api' }) })
 */
export function expressRateLimitStore(options: {
  redis: RedisClient
  prefix?: string
  deadlineMs?: number
}): ExpressRateLimitStore {
  const { redis, prefix = 'scale', deadlineMs } = options
  const base = keyspace(prefix, 'rate-limit', 1).plain('express-rate-limit')
  const store = redisStore(redis, deadlineMs)
  let quota: Quota = createQuota('express-rate-limit', {
    algorithm: 'fixed',
    quota: COUNT_ALL,
    windowMs: 60_000,
  })

  function chargeOf(key: string): Charge {
    return { key: `${base}:{${keyPart(key)}}:${quota.windowMs}`, quota, cost: 1 }
  }

  async function ask(charge: Charge, count: number): Promise<Balance> {
    const { balances } = await store.consume([charge], count, 1)
    return balances[0]!
  }

  const own: ExpressRateLimitStore = {
    prefix,
    localKeys: false,
    init: ({ windowMs }) => {
      quota = createQuota('express-rate-limit', { algorithm: 'fixed', quota: COUNT_ALL, windowMs })
    },
    increment: async (key) => client(await ask(chargeOf(key), 1)),
    decrement: async (key) => {
      const charge = chargeOf(key)
      const { windowId } = await ask(charge, 0)
      await store.settle([{ key: charge.key, quota, units: -1, windowId }])
    },
    resetKey: (key) => store.reset([chargeOf(key)]),
    get: async (key) => {
      const balance = await ask(chargeOf(key), 0)
      return balance.remaining === COUNT_ALL ? undefined : client(balance)
    },
    shutdown: () => giveUpKeys(),
  }
  const giveUpKeys = ownKeys(
    own,
    redis,
    prefix,
    `expressRateLimitStore: another store has the prefix \`${prefix}\` and would count the same keys. Give each limiter a \`prefix\` of ` +
      'its own; where this one takes the place of the other, call `shutdown()` on that first.',
  )
  return own
}

function client({ remaining, resetAfterMs }: Balance): { totalHits: number; resetTime: Date } {
  return { totalHits: COUNT_ALL - remaining, resetTime: new Date(Date.now() + resetAfterMs) }
}
