// Quota that a process took in advance was lost for the rest of the window when the process ended.
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AlgorithmName, type RateLimit, rateLimit, user } from '../../src/index.js'
import { random } from '../random.js'

const QUOTA = 10_000
const DAY_MS = 86_400_000

let server: RedisServer
let redis: ReturnType<typeof createRedis>
/** Of three processes. */
let clients: (typeof redis)[]
let prefixes = 0

beforeAll(async () => {
  server = await testRedis()
  clients = Array.from({ length: 3 }, () => createRedis(server.url, { guard: { deadlineMs: 10_000 } }))
  redis = clients[0]!
  await Promise.all(clients.map((client) => whenReady(client, 5_000)))
})
afterAll(async () => {
  for (const client of clients) client.disconnect()
  await server.stop()
})

function leased(prefix: string, algorithm: AlgorithmName, client = redis): RateLimit {
  const policies = [{ name: 'daily', quota: QUOTA, windowMs: DAY_MS, algorithm }]
  // Leases that outlast the test: what comes back comes back by `close`.
  return rateLimit({ redis: client, prefix, mode: 'leased', leaseMs: 60_000, policies })
}

async function remaining(prefix: string, algorithm: AlgorithmName): Promise<number> {
  const limiter = leased(prefix, algorithm)
  try {
    return (await limiter.peek(user('user'))).policies[0]!.remaining
  } finally {
    await limiter.close()
  }
}

async function scripts(): Promise<number> {
  const stats = String(await redis.call('info', ['commandstats']))
  return Number(stats.match(/cmdstat_evalsha:calls=(\d+)/)?.[1])
}

describe('leases of a process that ends', () => {
  it.each(['fixed', 'strict', 'token-bucket', 'gcra'] as const)(
    '%s: five restarts of three processes lose nothing',
    async (algorithm) => {
      const prefix = `restarts:${++prefixes}`
      const draw = random(algorithm)
      let admitted = 0
      for (let restart = 0; restart < 5; restart++) {
        const limiters = clients.map((client) => leased(prefix, algorithm, client))
        for (const limiter of limiters) {
          const requests = 20 + draw.integer(200)
          for (let request = 0; request < requests; request++)
            if ((await limiter.consume(user('user'))).allowed) admitted++
        }
        await Promise.all(limiters.map((limiter) => limiter.close()))
      }
      const left = await remaining(prefix, algorithm)
      expect(left).toBeGreaterThanOrEqual(QUOTA - admitted)
      // What refills meanwhile in those that refill: 10,000 a day is one in 8.6 s.
      expect(left).toBeLessThanOrEqual(QUOTA - admitted + 10)
    },
  )

  it('close waits for leases that are still being asked for, and the client may be closed after it', async () => {
    const prefix = `asked:${++prefixes}`
    const client = createRedis(server.url, { guard: { deadlineMs: 10_000 } })
    await whenReady(client, 5_000)
    const limiter = leased(prefix, 'fixed', client)
    for (let request = 0; request < 10; request++) await limiter.consume(user('user'))
    const asked = Array.from({ length: 100 }, () => limiter.consume(user('user')))
    await limiter.close()
    client.disconnect()
    const decisions = await Promise.all(asked)
    expect(decisions.every(({ allowed, source }) => allowed && source !== 'fallback')).toBe(true)
    expect(await remaining(prefix, 'fixed')).toBe(QUOTA - 110)
  })

  it('what is asked after close takes nothing in advance; closing again is harmless', async () => {
    const prefix = `after:${++prefixes}`
    const limiter = leased(prefix, 'fixed')
    for (let request = 0; request < 30; request++) await limiter.consume(user('user'))
    await limiter.close()
    const before = await scripts()
    for (let request = 0; request < 30; request++)
      expect((await limiter.consume(user('user'))).source).toBe('redis')
    // Nothing is given back either.
    expect((await scripts()) - before).toBe(30)
    await limiter.close()
    expect(await remaining(prefix, 'fixed')).toBe(QUOTA - 60)
  })
})
