import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createQuota } from '../../src/algorithms/quota.js'
import { UnreadableQuota } from '../../src/errors.js'
import { RedisStore } from '../../src/stores/redis.js'
import { storeContract } from '../../src/testing/index.js'

let server: RedisServer
let redis: ReturnType<typeof createRedis>
let older: Redis5

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url, { guard: { deadlineMs: 5_000 } })
  await whenReady(redis, 5_000)
  older = new Redis5(server.url, { autoResendUnfulfilledCommands: false, enableOfflineQueue: false })
  await once(older, 'ready')
})
afterAll(async () => {
  redis.disconnect()
  older.disconnect()
  await server.stop()
})

describe('RedisStore on ioredis 5', () => {
  storeContract(
    { describe, it },
    { create: () => new RedisStore(older), key: (name) => `{older}:${name}`, pass: (ms) => sleep(ms) },
  )
})

describe('RedisStore', () => {
  storeContract(
    { describe, it },
    {
      create: () => new RedisStore(redis),
      key: (name) => `{contract}:${name}`,
      pass: (ms) => sleep(ms),
    },
  )

  const fixed = createQuota('p', { algorithm: 'fixed', quota: 5, windowMs: 60_000 })

  it('decides all requests of one turn in one command', async () => {
    const store = new RedisStore(redis)
    await store.consume([{ key: 'warm', quota: fixed, cost: 1 }], 1, 1)
    const before = await commandCalls('evalsha')
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        store.consume([{ key: `turn:${index % 10}`, quota: fixed, cost: 1 }], 1, 1),
      ),
    )
    expect((await commandCalls('evalsha')) - before).toBe(1)
  })

  it('fails only the request whose key holds something else', async () => {
    const store = new RedisStore(redis)
    await redis.call('lpush', ['alien', 'x'])
    const [alien, sane] = await Promise.allSettled([
      store.consume([{ key: 'alien', quota: fixed, cost: 1 }], 1, 1),
      store.consume([{ key: 'sane', quota: fixed, cost: 1 }], 1, 1),
    ])
    expect(alien).toMatchObject({ status: 'rejected', reason: expect.any(UnreadableQuota) })
    expect(sane).toMatchObject({ status: 'fulfilled', value: { granted: 1 } })
  })

  it('gives a key without expiry one, and starts it anew', async () => {
    const store = new RedisStore(redis)
    await redis.call('set', ['immortal', '5'])
    expect(await store.consume([{ key: 'immortal', quota: fixed, cost: 1 }], 1, 1)).toMatchObject({
      granted: 1,
    })
    expect(await redis.call('pttl', ['immortal'])).toBeGreaterThan(59_000)
  })

  it('writes nothing for who looks, is refused or costs nothing', async () => {
    const store = new RedisStore(redis)
    const ask = (cost: number, count: number) =>
      store.consume([{ key: 'unwritten', quota: fixed, cost }], count, 1)
    for (const [cost, count] of [
      [1, 0],
      [6, 1],
      [0, 1],
    ] as const)
      await ask(cost, count)
    expect(await redis.call('exists', ['unwritten'])).toBe(0)
  })

  it('ends a window when it was to end, however often it is spent from', async () => {
    const store = new RedisStore(redis)
    await redis.call('set', ['half over', '1', 'PX', '30000'])
    const one = { key: 'half over', quota: fixed, cost: 1 }
    const { balances } = await store.consume([one], 1, 1)
    expect(balances).toMatchObject([{ remaining: 3 }])
    await store.settle([{ ...one, units: 1, windowId: balances[0]!.windowId }])
    await store.settle([{ ...one, units: -1, windowId: balances[0]!.windowId }])
    const life = Number(await redis.call('pttl', ['half over']))
    expect(life).toBeLessThanOrEqual(30_000)
    expect(life).toBeGreaterThan(15_000)
  })

  async function commandCalls(command: string): Promise<number> {
    const stats = String(await redis.call('info', ['commandstats']))
    return Number(stats.match(new RegExp(`cmdstat_${command}:calls=(\\d+)`))?.[1] ?? 0)
  }
})
