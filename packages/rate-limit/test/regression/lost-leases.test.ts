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

function leased(
  prefix: string,
  algorithm: AlgorithmName,
  client = redis,
  options: { settle?: true } = {},
): RateLimit {
  const policies = [{ name: 'daily', quota: QUOTA, windowMs: DAY_MS, algorithm }]
  // Leases that outlast the test: what comes back comes back by `close`.
  return rateLimit({ redis: client, prefix, mode: 'leased', leaseMs: 60_000, policies, ...options })
}

async function remaining(prefix: string, algorithm: AlgorithmName): Promise<number> {
  const limiter = leased(prefix, algorithm)
  try {
    return (await limiter.peek(user('user'))).policies[0]!.remaining
  } finally {
    await limiter.close()
  }
}

async function scripts(client: typeof redis): Promise<number> {
  const stats = String(await client.call('info', ['commandstats']))
  return Number(stats.match(/cmdstat_evalsha:calls=(\d+)/)?.[1])
}

describe('leases of a process that ends', () => {
  it.each(['fixed', 'strict', 'token-bucket'] as const)(
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

  it.each(['fixed', 'strict'] as const)(
    '%s: five rolling restarts under load, with corrections and penalties, lose nothing and admit no more',
    async (algorithm) => {
      const prefix = `rolling:${++prefixes}`
      const draw = random(`rolling ${algorithm}`)
      const start = (client: typeof redis): RateLimit => leased(prefix, algorithm, client, { settle: true })
      const limiters = clients.map(start)
      let spent = 0
      const ask = async (limiter: RateLimit): Promise<void> => {
        const decision = await limiter.consume(user('user'))
        if (!decision.allowed) return
        const cost = draw.oneOf([1, 1, 1, 0, 3])
        spent += cost
        if (cost !== 1) await limiter.settle(decision, cost)
      }
      for (let restart = 0; restart < 5; restart++) {
        for (const [index, client] of clients.entries()) {
          const requests = 50 + draw.integer(100)
          await Promise.all(
            limiters.flatMap((limiter) => Array.from({ length: requests }, () => ask(limiter))),
          )
          if (draw.unit() < 0.3) await limiters[index]!.penalize(user('user'), { blockMs: 1 })
          // The others go on while this one ends and comes back.
          const others = limiters.filter((_, other) => other !== index)
          const meanwhile = others.flatMap((limiter) => Array.from({ length: 20 }, () => ask(limiter)))
          await Promise.all([limiters[index]!.close(), ...meanwhile])
          limiters[index] = start(client)
        }
      }
      await Promise.all(limiters.map((limiter) => limiter.close()))
      expect(spent).toBeGreaterThan(1_000)
      expect(spent).toBeLessThanOrEqual(QUOTA)
      expect(await remaining(prefix, algorithm)).toBe(QUOTA - spent)
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
    // A server of its own: on the other, all that was ever made here says every 5 s that it is there, by a script.
    const own = await testRedis()
    const client = createRedis(own.url, { guard: { deadlineMs: 10_000 } })
    try {
      await whenReady(client, 5_000)
      const limiter = leased('after', 'fixed', client)
      for (let request = 0; request < 30; request++) await limiter.consume(user('user'))
      await limiter.close()
      const before = await scripts(client)
      for (let request = 0; request < 30; request++)
        expect((await limiter.consume(user('user'))).source).toBe('redis')
      // Nothing is given back either, which would be as many scripts again.
      const asked = (await scripts(client)) - before
      expect(asked).toBeGreaterThanOrEqual(30)
      expect(asked).toBeLessThan(60)
      await limiter.close()
      expect((await limiter.peek(user('user'))).policies[0]!.remaining).toBe(QUOTA - 60)
    } finally {
      client.disconnect()
      await own.stop()
    }
  })
})
