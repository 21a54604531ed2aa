import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { rateLimit as expressRateLimit, type Store } from 'express-rate-limit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expressRateLimitStore, rateLimit } from '../src/index.js'
import { expresses, runApp } from './app.js'

let server: RedisServer
let redis: ReturnType<typeof createRedis>
/** As another process has it. */
let other: typeof redis
let prefixes = 0

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url)
  other = createRedis(server.url)
  await Promise.all([whenReady(redis, 5_000), whenReady(other, 5_000)])
})
afterAll(async () => {
  redis.disconnect()
  other.disconnect()
  await server.stop()
})

function store(): Store & ReturnType<typeof expressRateLimitStore> {
  const made = expressRateLimitStore({ redis, prefix: `erl:${++prefixes}` })
  made.init({ windowMs: 60_000 })
  return made
}

describe('expressRateLimitStore', () => {
  it('counts, takes back, forgets and tells', async () => {
    const counts = store()
    expect(await counts.get('a')).toBeUndefined()
    expect((await counts.increment('a')).totalHits).toBe(1)
    const { totalHits, resetTime } = await counts.increment('a')
    expect(totalHits).toBe(2)
    expect(resetTime!.getTime() - Date.now()).toBeGreaterThan(55_000)
    await counts.decrement('a')
    expect((await counts.get('a'))?.totalHits).toBe(1)
    await counts.resetKey('a')
    expect(await counts.get('a')).toBeUndefined()
    await counts.decrement('a')
    expect(await counts.get('a')).toBeUndefined()
  })

  it('owns its prefix: a second store of it is refused until the first is shut down', async () => {
    const prefix = `erl:${++prefixes}`
    const first = expressRateLimitStore({ redis, prefix })
    expect(() => expressRateLimitStore({ redis, prefix })).toThrow(
      /another store has the prefix `erl:\d+` .* Give each limiter a `prefix` of its own.* call `shutdown\(\)`/,
    )
    // A limiter of the same prefix has other keys, whatever it is called.
    for (const name of ['default', 'express-rate-limit'])
      expect(() =>
        rateLimit({ redis, prefix, name, policies: [{ name: 'p', quota: 1, windowMs: 60_000 }] }),
      ).not.toThrow()
    first.shutdown()
    const second = expressRateLimitStore({ redis, prefix })
    first.shutdown()
    expect(() => expressRateLimitStore({ redis, prefix })).toThrow(/another store/)
    second.init({ windowMs: 60_000 })
    expect((await second.increment('a')).totalHits).toBe(1)
  })

  it('counts windows of different lengths apart, and takes back from the one that runs', async () => {
    const prefix = `erl:${++prefixes}`
    const counts = expressRateLimitStore({ redis, prefix })
    counts.init({ windowMs: 60_000 })
    await counts.increment('a')
    counts.init({ windowMs: 120_000 })
    expect((await counts.increment('a')).totalHits).toBe(1)
    await counts.decrement('a')
    expect(await counts.get('a')).toBeUndefined()
    counts.init({ windowMs: 60_000 })
    expect((await counts.get('a'))?.totalHits).toBe(1)
  })

  it.each(expresses)('serves express-rate-limit on %s, over two copies', async (_, make) => {
    const prefix = `erl:${++prefixes}`
    const copy = (client: typeof redis) =>
      runApp(make, [
        expressRateLimit({
          windowMs: 60_000,
          limit: 3,
          store: expressRateLimitStore({ redis: client, prefix }),
          standardHeaders: 'draft-8',
        }),
      ])
    const apps = [await copy(redis), await copy(other)]
    try {
      const statuses = []
      for (let request = 0; request < 5; request++) statuses.push((await apps[request % 2]!.get()).status)
      expect(statuses).toEqual([200, 200, 200, 429, 429])
    } finally {
      for (const app of apps) await app.close()
    }
  })
})
