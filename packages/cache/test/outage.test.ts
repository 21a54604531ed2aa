import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import { type FaultProxy, type RedisServer, startFaultProxy } from '@scale/redis/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CacheOptions, createCache, storeErrorChannel } from '../src/index.js'
import { deferred, until } from './until.js'

let server: RedisServer
let proxy: FaultProxy
beforeAll(async () => {
  server = await testRedis()
})
afterAll(() => server.stop())
beforeEach(async () => {
  proxy = await startFaultProxy({ target: server })
})

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await proxy.close()
})

let count = 0
async function copy(url: string, options: CacheOptions = {}) {
  const redis = createRedis(url, {
    maxReconnectDelayMs: 50,
    guard: { reconnectAfterMs: 300 },
  })
  const cache = createCache({
    redis,
    prefix: `out${count}`,
    deadlineMs: 40,
    livenessMs: 200,
    jitterRatio: 0,
    ...options,
  })
  closing.push(
    () => cache.close(),
    () => redis.disconnect(),
  )
  return { redis, cache }
}
beforeEach(() => {
  count++
})

const faults: [string, () => Promise<void>][] = [
  [
    'away',
    async () => {
      await proxy.set({ refuse: true })
      proxy.reset()
    },
  ],
  ['swallowed', () => proxy.set({ blackHole: true })],
  ['half open', async () => proxy.halfOpen()],
  ['slow', () => proxy.set({ latencyMs: 500 })],
  ['mute', () => proxy.set({ holdReplies: true })],
]

describe.each(faults)('with Redis %s', (_name, fault) => {
  it('runs the loader, without an error, within the deadline, and heals', async () => {
    const { redis, cache } = await copy(proxy.url)
    await whenReady(redis, 5_000)
    await cache.set('key', 'stored')
    await fault()
    await until(async () => (await cache.getOrSet('key', () => 'loaded')) === 'loaded')
    for (let i = 0; i < 30; i++) {
      // No answer can wait for Redis longer than its deadline: one that did would see the fault end.
      expect(await cache.getOrSet(`other${i}`, () => 'loaded')).toBe('loaded')
    }
    expect(await cache.get('nothing')).toBeUndefined()
    await proxy.clear()
    await until(async () => (await cache.getOrSetEntry('after', () => 'value')).status === 'hit')
  })

  it('tells that an invalidation is not acknowledged, and repeats it until it is', async () => {
    const { redis, cache } = await copy(proxy.url)
    const { redis: straight, cache: other } = await copy(server.url)
    await Promise.all([whenReady(redis, 5_000), whenReady(straight, 5_000)])
    await cache.set('key', 'old')
    await cache.set('tagged', 'old', { tags: ['t'] })
    await fault()
    expect(await cache.delete('key')).toBe(false)
    expect(await cache.invalidateTags(['t'])).toBe(false)
    // Here it counts at once, whether Redis answers again or not.
    expect(await cache.getOrSet('key', () => 'new', { ttlMs: 0 })).toBe('new')
    await proxy.clear()
    await until(
      async () => (await other.get('key')) === undefined && (await other.get('tagged')) === undefined,
    )
  })
})

describe('without an answer from Redis', () => {
  it('runs one loader per key and process at a time', async () => {
    await proxy.set({ refuse: true })
    const { cache } = await copy(proxy.url)
    const gate = deferred<string>()
    const asked = Array.from({ length: 100 }, () => cache.getOrSet('key', gate.loader))
    await until(() => gate.calls === 1)
    gate.resolve('value')
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['value']))
    expect(gate.calls).toBe(1)
  })

  it('starts, and finds Redis when it comes', async () => {
    await proxy.set({ refuse: true })
    const { cache } = await copy(proxy.url)
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded')
    await proxy.clear()
    await until(async () => (await cache.getOrSetEntry('key', () => 'value')).layer === 'l1')
  })

  it('serves copies for outageGraceMs longer, if told so', async () => {
    const { redis, cache } = await copy(proxy.url, { outageGraceMs: 600_000 })
    await whenReady(redis, 5_000)
    await cache.set('key', 'kept')
    await until(async () => (await cache.getEntry('key'))?.layer === 'l1')
    await proxy.set({ refuse: true })
    proxy.reset()
    await until(() => redis.status !== 'ready')
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(await cache.getOrSetEntry('key', () => 'loaded')).toMatchObject({ value: 'kept', layer: 'l1' })
    await cache.delete('key')
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded')
  })

  it('reports it', async () => {
    const operations: string[] = []
    const { redis, cache } = await copy(proxy.url)
    await whenReady(redis, 5_000)
    await proxy.set({ blackHole: true })
    const stop = storeErrorChannel.subscribe(({ operation }) => operations.push(operation))
    await cache.getOrSet('key', () => 1)
    await cache.get('other')
    await cache.set('key', 1)
    stop()
    expect(operations).toEqual(['load', 'read', 'put', 'invalidate'])
  })
})
