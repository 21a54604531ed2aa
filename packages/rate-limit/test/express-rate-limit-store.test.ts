import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { rateLimit as expressRateLimit, type Store } from 'express-rate-limit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expressRateLimitStore } from '../src/index.js'
import { expresses, runApp } from './app.js'

let server: RedisServer
let redis: ReturnType<typeof createRedis>
let prefixes = 0

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url)
  await whenReady(redis, 5_000)
})
afterAll(async () => {
  redis.disconnect()
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

  it.each(expresses)('serves express-rate-limit on %s, over two copies', async (_, make) => {
    const prefix = `erl:${++prefixes}`
    const copy = () =>
      runApp(make, [
        expressRateLimit({
          windowMs: 60_000,
          limit: 3,
          store: expressRateLimitStore({ redis, prefix }),
          standardHeaders: 'draft-8',
        }),
      ])
    const apps = [await copy(), await copy()]
    try {
      const statuses = []
      for (let request = 0; request < 5; request++) statuses.push((await apps[request % 2]!.get()).status)
      expect(statuses).toEqual([200, 200, 200, 429, 429])
    } finally {
      for (const app of apps) await app.close()
    }
  })
})
