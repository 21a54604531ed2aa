import { deserialize, serialize } from 'node:v8'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCache } from '../src/index.js'
import { PATIENT } from './until.js'

let server: RedisServer
let redis: ReturnType<typeof createRedis>
beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url, PATIENT)
  await whenReady(redis, 5_000)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

describe('values', () => {
  it('may hold themselves, if the codec can', async () => {
    const codec = {
      name: 'v8',
      encode: (value: unknown) => serialize(value),
      decode: (bytes: Buffer) => deserialize(bytes),
    }
    const cache = createCache({ codec })
    const circle: { self?: unknown } = {}
    circle.self = circle
    const value = await cache.getOrSet('key', () => circle)
    expect(value.self).toBe(value)
    expect(Object.isFrozen(value)).toBe(true)
  })

  it('do not change the prototype of anything', async () => {
    const cache = createCache({ redis, prefix: 'proto' })
    const evil = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}')
    for (let i = 0; i < 2; i++) {
      const value = (await cache.getOrSet('key', () => evil)) as object
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    }
    await cache.close()
  })
})

describe('options of a call', () => {
  it('may be fractions of a millisecond', async () => {
    const cache = createCache({ redis, prefix: 'fraction' })
    const options = { ttlMs: 60_000.7, staleIfErrorMs: 0.4, tags: ['tag'] }
    const first = await cache.getOrSetEntry('key', () => 'value', options)
    expect(first.stored).toBe(true)
    // The tag is there already, and its lifetime is prolonged.
    const longer = { ...options, ttlMs: 600_000.7 }
    expect((await cache.getOrSetEntry('other', () => 'value', longer)).stored).toBe(true)
    await cache.close()
  })

  it.each<[string, unknown]>([
    ['an empty name', ['']],
    ['a name that only responses have', ['\0u123']],
    ['more than 64', Array.from({ length: 65 }, (_, i) => `t${i}`)],
    ['a string', 'tag'],
  ])('are checked when only the value tells the tags: %s', async (_name, tags) => {
    const cache = createCache()
    const loading = cache.getOrSet('key', () => 'value', { tags: () => tags as string[] })
    await expect(loading).rejects.toMatchObject({ code: 'ERR_SCALE_CACHE_KEY' })
    expect(await cache.get('key')).toBeUndefined()
  })
})
