import { setTimeout as sleep } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createQuota } from '../../src/policy.js'
import { RedisStore } from '../../src/stores/redis.js'
import { storeContract } from '../../src/testing/index.js'
import { type IncrexProxy, startIncrexProxy } from './increx-proxy.js'

let server: RedisServer
let proxy: IncrexProxy
let redis: ReturnType<typeof createRedis>

beforeAll(async () => {
  server = await testRedis()
  proxy = await startIncrexProxy(server)
  redis = createRedis(`redis://127.0.0.1:${proxy.port}`, { guard: { deadlineMs: 5_000 } })
  await whenReady(redis, 5_000)
})
afterAll(async () => {
  redis.disconnect()
  await proxy.close()
  await server.stop()
})

const quota = createQuota('p', { algorithm: 'fixed', quota: 5, windowMs: 60_000 })

/** A store that has found out what its server can do. */
async function informedStore(): Promise<RedisStore> {
  const store = new RedisStore(redis)
  await vi.waitFor(async () => {
    proxy.commands.length = 0
    await store.consume([{ key: 'ask', quota, cost: 1 }], 1, 1)
    await store.reset([{ key: 'ask', quota, cost: 1 }])
    expect(proxy.commands).toContain('increx')
  })
  proxy.commands.length = 0
  return store
}

describe('RedisStore on a server with INCREX', () => {
  storeContract(
    { describe, it },
    { create: informedStore, key: (name) => `{increx}:${name}`, pass: (ms) => sleep(ms) },
  )

  it('asks natively for one request, with its expiry, in one write', async () => {
    const store = await informedStore()
    const reply = await store.consume([{ key: 'alone', quota, cost: 2 }], 1, 1)
    expect(reply).toMatchObject({ granted: 1, balances: [{ remaining: 3, waitMs: 0 }] })
    expect(reply.balances[0]!.resetAfterMs).toBeGreaterThan(59_000)
    expect(proxy.commands).toEqual(['increx', 'pttl'])
    expect(await redis.call('get', ['alone'])).toBe('2')
  })

  it('asks by script for several, for what is settled, and for other ways to count', async () => {
    const store = await informedStore()
    await Promise.all([
      store.consume([{ key: 'first', quota, cost: 1 }], 1, 1),
      store.consume([{ key: 'second', quota, cost: 1 }], 1, 1),
    ])
    await store.consume([{ key: 'settled', quota, cost: 1, settles: true }], 1, 1)
    await store.consume(
      [{ key: 'other', quota: createQuota('p', { ...quota, algorithm: 'gcra' }), cost: 1 }],
      1,
      1,
    )
    expect(proxy.commands).not.toContain('increx')
  })

  it('counts in the same keys as the script', async () => {
    const store = await informedStore()
    const charge = { key: 'both', quota, cost: 1 }
    await store.consume([charge], 1, 1)
    await store.consume([{ ...charge, settles: true }], 1, 1)
    await store.consume([charge], 1, 1)
    expect(await store.consume([charge], 0, 1)).toMatchObject({ balances: [{ remaining: 2 }] })
  })

  it('keeps a penalty', async () => {
    const store = await informedStore()
    const charge = { key: 'punished', quota, cost: 1 }
    await store.penalize([charge], 90_000)
    const { granted, balances } = await store.consume([charge], 1, 1)
    expect(granted).toBe(0)
    expect(balances[0]!.waitMs).toBeGreaterThan(89_000)
  })

  it('starts a key without expiry anew', async () => {
    const store = await informedStore()
    await redis.call('set', ['immortal', '5'])
    expect(await store.consume([{ key: 'immortal', quota, cost: 1 }], 1, 1)).toMatchObject({ granted: 1 })
    expect(await redis.call('pttl', ['immortal'])).toBeGreaterThan(59_000)
  })

  it('goes back to the script, and counts once, when the server turns out to be older', async () => {
    const store = await informedStore()
    proxy.forget()
    const charge = { key: 'older', quota, cost: 1 }
    expect(await store.consume([charge], 1, 1)).toMatchObject({ granted: 1, balances: [{ remaining: 4 }] })
    expect(await store.consume([charge], 1, 1)).toMatchObject({ granted: 1, balances: [{ remaining: 3 }] })
    expect(proxy.commands.filter((name) => name === 'increx')).toHaveLength(1)
  })
})
