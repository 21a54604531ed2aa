import { createCache } from '@scale/cache'
import { rateLimit, user } from '@scale/rate-limit'
import { createRedis, whenReady } from '@scale/redis'
import { session } from '@scale/session'

/** How a request ended: by Redis' answer, without it in the declared way, or refused. */
export type Ending = 'answered' | 'without' | 'refused'

/** One thing that asks Redis for a request. */
export interface Subject {
  readonly name: string
  /** @param key  which session, partition or entry, below `KEYS`. @throws what is not a declared way to end */
  ask(key: number): Promise<Ending>
}

/** What is asked, by everything that a service has, over one client with its defaults. */
export interface Subjects {
  readonly all: readonly Subject[]
  close(): Promise<void>
}

/** How many sessions, partitions and entries there are. */
export const KEYS = 64
const QUOTA = 1_000_000_000

/** Sessions, quotas in each mode and a cache that keeps nothing in process, with their defaults, and something in each. */
export async function startSubjects(redisUrl: string): Promise<Subjects> {
  const redis = createRedis(redisUrl)
  await whenReady(redis, 10_000)
  const sessions = session<{ seen?: number }>({ redis })
  const tokens = await Promise.all(
    Array.from(
      { length: KEYS },
      async (_, user) => (await (await sessions.load({})).login(`user-${user}`)).token,
    ),
  )
  const load = (key: number) => sessions.load({ cookie: `__Host-session=${tokens[key]}` })
  // Nothing in process: a hit there asks nobody.
  const cache = createCache({ redis, maxBytes: 0, ttlMs: 3_600_000, earlyRefresh: 0 })
  await Promise.all(Array.from({ length: KEYS }, (_, key) => cache.set(`key-${key}`, key)))

  const limited = (onStoreError: 'open' | 'local' | 'closed'): Subject => {
    const policies = [{ name: onStoreError, quota: QUOTA, windowMs: 3_600_000 }]
    const limiter = rateLimit({ redis, name: onStoreError, policies, onStoreError })
    return {
      name: `quota, \`${onStoreError}\``,
      ask: (key) =>
        endingOf(async () => {
          const { source } = await limiter.consume(user(`partition-${key}`))
          return source === 'redis'
        }),
    }
  }
  const all: Subject[] = [
    {
      name: 'session, read',
      ask: (key) =>
        endingOf(async () => {
          const { userId } = await load(key)
          if (userId !== `user-${key}`) throw new Error(`the session is of ${userId}`)
          return true
        }),
    },
    {
      name: 'session, changed',
      ask: (key) =>
        endingOf(async () => {
          const opened = await load(key)
          opened.data.seen = (opened.data.seen ?? 0) + 1
          await opened.save()
          return true
        }),
    },
    limited('closed'),
    limited('open'),
    limited('local'),
    {
      name: 'cache',
      ask: (key) =>
        endingOf(async () => {
          const { status, value } = await cache.getOrSetEntry(`key-${key}`, async () => key)
          if (value !== key) throw new Error(`the value of ${key} is ${value}`)
          return status === 'hit'
        }),
    },
  ]
  return {
    all,
    close: async () => {
      await cache.close()
      redis.disconnect()
    },
  }
}

async function endingOf(ask: () => Promise<boolean>): Promise<Ending> {
  try {
    return (await ask()) ? 'answered' : 'without'
  } catch (error) {
    if ((error as { status?: number }).status !== 503) throw error
    return 'refused'
  }
}
