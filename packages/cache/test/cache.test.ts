import { setTimeout as delay } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Cache, type CacheOptions, createCache, loadChannel } from '../src/index.js'
import { deferred, PATIENT, until } from './until.js'

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

const caches: Cache[] = []
afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()))
})

let count = 0
/** Copies of one app: they share Redis, and nothing else. */
function copies(size: number, options: CacheOptions = {}): Cache[] {
  const prefix = `test-${count++}`
  const made = Array.from({ length: size }, () => createCache({ redis, prefix, jitterRatio: 0, ...options }))
  caches.push(...made)
  return made
}

function inProcess(options: CacheOptions = {}): Cache {
  const cache = createCache({ jitterRatio: 0, ...options })
  caches.push(cache)
  return cache
}

/** A loader that counts its calls and gives v1, v2, … */
function counting(): (() => string) & { calls: number } {
  const loader = Object.assign(() => `v${++loader.calls}`, { calls: 0 })
  return loader
}

describe.each([
  ['memory', (options?: CacheOptions) => inProcess(options)],
  ['redis', (options?: CacheOptions) => copies(1, options)[0]!],
])('createCache on %s', (_name, make) => {
  it('loads once, and then has it', async () => {
    const cache = make()
    const load = counting()
    expect(await cache.getOrSet('key', load)).toBe('v1')
    expect(await cache.getOrSet('key', load)).toBe('v1')
    expect(await cache.get('key')).toBe('v1')
    expect(load.calls).toBe(1)
  })

  it('tells how a value was come by', async () => {
    const cache = make()
    const miss = await cache.getOrSetEntry('key', () => 1)
    expect(miss).toMatchObject({ value: 1, status: 'miss', layer: undefined, stored: true, collapsed: false })
    const hit = await cache.getOrSetEntry('key', () => 2)
    expect(hit).toMatchObject({ value: 1, status: 'hit' })
    expect(hit.ttlMs).toBeGreaterThan(50_000)
    expect(hit.ttlMs).toBeLessThanOrEqual(60_000)
  })

  it('runs one load for all who ask at the same time, and shares its failure', async () => {
    const cache = make()
    const gate = deferred<string>()
    const ask = () => cache.getOrSetEntry('key', gate.loader)
    const asked = [ask(), ask(), ask()]
    await until(() => gate.calls === 1)
    gate.resolve('value')
    const results = await Promise.all(asked)
    expect(results.map(({ value }) => value)).toEqual(['value', 'value', 'value'])
    expect(results.filter(({ collapsed }) => collapsed)).toHaveLength(2)
    expect(gate.calls).toBe(1)

    let failed = 0
    const failing = () => cache.getOrSet('other', () => Promise.reject(new Error(`failure ${++failed}`)))
    const failures = await Promise.allSettled([failing(), failing(), failing()])
    expect(failures.map((failure) => String((failure as PromiseRejectedResult).reason))).toEqual(
      Array(3).fill('Error: failure 1'),
    )
    expect(await cache.getOrSet('other', () => 'works')).toBe('works')
  })

  it('tells undefined, null and nothing apart', async () => {
    const cache = make()
    expect(await cache.getEntry('u')).toBeUndefined()
    await cache.set('u', undefined)
    await cache.set('n', null)
    expect(await cache.getEntry('u')).toMatchObject({ value: undefined, status: 'hit' })
    expect(await cache.get('n')).toBeNull()
    expect(await cache.getOrSet('u', () => 'loaded')).toBeUndefined()
  })

  it('gives bytes back as bytes, to each caller its own', async () => {
    const cache = make()
    const bytes = Buffer.from([0, 1, 255])
    const first = await cache.getOrSet('key', () => bytes)
    first[0] = 9
    expect(await cache.getOrSet('key', () => bytes)).toEqual(Buffer.from([0, 1, 255]))
  })

  it('gives every caller the same frozen value, the first one too', async () => {
    const cache = make()
    const load = () => ({ at: new Date(0), list: [{ a: 1 }] })
    for (const value of [await cache.getOrSet('key', load), await cache.getOrSet('key', load)]) {
      expect(value).toEqual({ at: '1970-01-01T00:00:00.000Z', list: [{ a: 1 }] })
      expect(Object.isFrozen(value.list[0])).toBe(true)
    }
  })

  it("gives every caller a value of its own under isolation 'copy'", async () => {
    const cache = make({ isolation: 'copy' })
    const load = () => ({ list: [1] })
    const values = await Promise.all([cache.getOrSet('key', load), cache.getOrSet('key', load)])
    values.push(await cache.getOrSet('key', load))
    for (const value of values) {
      expect(value).toEqual({ list: [1] })
      value.list.push(2)
    }
  })

  it('forgets what has expired', async () => {
    const cache = make({ ttlMs: 40 })
    const load = counting()
    await cache.getOrSet('key', load)
    await until(async () => (await cache.get('key')) === undefined)
    expect(await cache.getOrSet('key', load)).toBe('v2')
  })

  it('takes the lifetime from the value; 0 stores nothing', async () => {
    const cache = make()
    const load = counting()
    await cache.getOrSet('zero', load, { ttlMs: () => 0 })
    await cache.getOrSet('zero', load, { ttlMs: () => 0 })
    expect(load.calls).toBe(2)
    const { ttlMs } = await cache.getOrSetEntry('ten', () => 10, { ttlMs: (seconds) => seconds * 1_000 })
    expect(ttlMs).toBe(10_000)
  })

  it('keeps absence for negativeTtlMs', async () => {
    const cache = make({ negativeTtlMs: 0 })
    let calls = 0
    const load = () => {
      calls++
      return null
    }
    await cache.getOrSet('key', load)
    await cache.getOrSet('key', load)
    expect(calls).toBe(2)
    const other = make({ negativeTtlMs: 5_000 })
    expect(await other.getOrSetEntry('key', load)).toMatchObject({ value: null, ttlMs: 5_000 })
  })

  it('does not store what was deleted while it was loaded', async () => {
    const cache = make()
    const gate = deferred<string>()
    const loading = cache.getOrSetEntry('key', gate.loader)
    await until(() => gate.calls === 1)
    expect(await cache.delete('key')).toBe(true)
    gate.resolve('old')
    expect(await loading).toMatchObject({ value: 'old', stored: false })
    expect(await cache.get('key')).toBeUndefined()
  })

  it('does not let a call join a load that began before an invalidation', async () => {
    const cache = make()
    const gate = deferred<string>()
    const loading = cache.getOrSet('key', gate.loader, { tags: ['t'] })
    await until(() => gate.calls === 1)
    await cache.invalidateTags(['t'])
    await cache.delete('key')
    expect(await cache.getOrSet('key', () => 'new', { tags: ['t'] })).toBe('new')
    gate.resolve('old')
    expect(await loading).toBe('old')
    expect(await cache.get('key')).toBe('new')
  })

  it('lets set win over a load that began before it', async () => {
    const cache = make()
    const gate = deferred<string>()
    const loading = cache.getOrSet('key', gate.loader)
    await until(() => gate.calls === 1)
    expect(await cache.set('key', 'set')).toBe(true)
    gate.resolve('old')
    await loading
    expect(await cache.get('key')).toBe('set')
  })

  it('invalidates by tag, and nothing else', async () => {
    const cache = make()
    const load = counting()
    await cache.getOrSet('a', load, { tags: ['red', 'round'] })
    await cache.getOrSet('b', load, { tags: ['round'] })
    await cache.getOrSet('c', load)
    expect(await cache.invalidateTags(['red'])).toBe(true)
    expect([await cache.get('a'), await cache.get('b'), await cache.get('c')]).toEqual([
      undefined,
      'v2',
      'v3',
    ])
    expect(await cache.getOrSet('a', load, { tags: ['red', 'round'] })).toBe('v4')
    await cache.invalidateTags(['round'])
    expect([await cache.get('a'), await cache.get('b'), await cache.get('c')]).toEqual([
      undefined,
      undefined,
      'v3',
    ])
  })

  it('fences a load by a tag that was invalidated meanwhile', async () => {
    const cache = make()
    const gate = deferred<string>()
    const loading = cache.getOrSet('key', gate.loader, { tags: ['t'] })
    await until(() => gate.calls === 1)
    await cache.invalidateTags(['t'])
    gate.resolve('old')
    expect(await loading).toBe('old')
    expect(await cache.get('key')).toBeUndefined()
  })

  it('fences a load by a tag that only the value names', async () => {
    const cache = make()
    const tags = (value: string) => [`of-${value}`]
    await cache.getOrSet('first', () => 'x', { tags })
    const gate = deferred<string>()
    const loading = cache.getOrSetEntry('key', gate.loader, { tags })
    await until(() => gate.calls === 1)
    await cache.invalidateTags(['of-x'])
    expect(await cache.get('first')).toBeUndefined()
    gate.resolve('x')
    expect(await loading).toMatchObject({ value: 'x', stored: false })
    expect(await cache.get('key')).toBeUndefined()
    // In the very millisecond of the invalidation the store cannot tell which came first, and refuses.
    await until(async () => (await cache.getOrSetEntry('key', () => 'x', { tags })).stored)
    expect(await cache.get('key')).toBe('x')
  })

  it('makes values stale by soft invalidation: served once more, and loaded anew', async () => {
    const cache = make({ staleWhileRevalidateMs: 60_000 })
    const load = counting()
    await cache.getOrSet('key', load, { tags: ['t'] })
    await cache.invalidateTags(['t'], { soft: true })
    expect(await cache.getOrSetEntry('key', load, { tags: ['t'] })).toMatchObject({
      value: 'v1',
      status: 'stale',
    })
    await until(async () => (await cache.get('key')) === 'v2')
    expect(load.calls).toBe(2)
  })

  it('serves stale while it loads anew, once', async () => {
    const cache = make({ ttlMs: 30, staleWhileRevalidateMs: 60_000, earlyRefresh: 0 })
    const load = counting()
    await cache.getOrSet('key', load)
    await until(async () => (await cache.getEntry('key'))?.status === 'stale')
    const gate = deferred<string>()
    const ask = () => cache.getOrSetEntry('key', gate.loader, { ttlMs: 60_000 })
    expect(await ask()).toMatchObject({ value: 'v1', status: 'stale' })
    expect(await ask()).toMatchObject({ value: 'v1', status: 'stale' })
    gate.resolve('new')
    await until(async () => (await cache.get('key')) === 'new')
    expect(gate.calls).toBe(1)
  })

  it('serves stale if loading fails, and within its limit only', async () => {
    const cache = make({ ttlMs: 30, staleIfErrorMs: 60_000 })
    await cache.getOrSet('key', () => 'old')
    await until(async () => (await cache.get('key')) === undefined)
    const failing = () => Promise.reject(new Error('down'))
    expect(await cache.getOrSetEntry('key', failing)).toMatchObject({ value: 'old', status: 'stale' })
    expect(await cache.getOrSet('key', () => 'back', { ttlMs: 60_000 })).toBe('back')
    await cache.getOrSet('short', () => 'old', { staleIfErrorMs: 0 })
    await until(async () => (await cache.get('short')) === undefined)
    await expect(cache.getOrSet('short', failing)).rejects.toThrow('down')
  })

  it('does not wait for a slow loader beyond the soft limit if there is a stale value', async () => {
    const cache = make({ ttlMs: 30, staleIfErrorMs: 60_000, loaderSoftTimeoutMs: 20 })
    await cache.getOrSet('key', () => 'old')
    await until(async () => (await cache.get('key')) === undefined)
    const gate = deferred<string>()
    expect(await cache.getOrSetEntry('key', () => gate.promise, { ttlMs: 60_000 })).toMatchObject({
      value: 'old',
      status: 'stale',
    })
    gate.resolve('new')
    await until(async () => (await cache.get('key')) === 'new')
  })

  it('gives a loader up after the hard limit, aborts its signal, and lets the next one try', async () => {
    const cache = make({ loaderTimeoutMs: 30 })
    let signal: AbortSignal | undefined
    const hanging = cache.getOrSet('key', (context) => {
      signal = context.signal
      return new Promise(() => {})
    })
    await expect(hanging).rejects.toMatchObject({ code: 'ERR_SCALE_CACHE_LOADER_TIMEOUT', status: 504 })
    expect(signal?.aborted).toBe(true)
    expect(await cache.getOrSet('key', () => 'value')).toBe('value')
  })

  it("ends a caller's wait by its own signal, and the load goes on", async () => {
    const cache = make()
    const gate = deferred<string>()
    const abort = new AbortController()
    const leaving = cache.getOrSet('key', () => gate.promise, { signal: abort.signal })
    const staying = cache.getOrSet('key', () => 'unused')
    abort.abort(new Error('gone'))
    await expect(leaving).rejects.toThrow('gone')
    gate.resolve('value')
    expect(await staying).toBe('value')
    expect(await cache.get('key')).toBe('value')
  })

  it('loads anew early by chance, in the background', async () => {
    const cache = make({ earlyRefresh: 100, ttlMs: 10_000 })
    let calls = 0
    const load = async () => {
      if (calls === 0) await delay(20)
      return ++calls
    }
    await cache.getOrSet('key', load)
    await until(async () => (await cache.getOrSet('key', load)) > 1)
  })

  it('runs at most so many loaders at once, and refuses beyond the queue', async () => {
    const cache = make({ maxConcurrentLoads: 2, maxQueuedLoads: 1 })
    const gate = deferred<string>()
    const asked = ['a', 'b', 'c'].map((key) => cache.getOrSet(key, gate.loader))
    await until(() => gate.calls === 2)
    await expect(cache.getOrSet('d', gate.loader)).rejects.toMatchObject({ status: 503 })
    gate.resolve('value')
    expect(await Promise.all(asked)).toEqual(['value', 'value', 'value'])
  })

  it('compresses large values if asked to, and returns values too large to store', async () => {
    const cache = make({ compressAboveBytes: 100, maxValueBytes: 10_000 })
    const text = 'abc'.repeat(1_000)
    expect(await cache.getOrSet('key', () => text)).toBe(text)
    expect(await cache.get('key')).toBe(text)
    const large = 'x'.repeat(20_000)
    expect(await cache.getOrSetEntry('large', () => large)).toMatchObject({ value: large, stored: false })
    expect(await cache.set('large', large)).toBe(false)
  })

  it('remembers results of a wrapped function', async () => {
    const cache = make()
    let calls = 0
    const slowSquare = async (n: number) => {
      calls++
      return n * n
    }
    const square = cache.wrap(slowSquare, { key: (n) => `square:${n}`, tags: (n) => [`n:${n}`] })
    expect([await square(3), await square(3), await square(4)]).toEqual([9, 9, 16])
    await cache.invalidateTags(['n:3'])
    await square(3)
    expect(calls).toBe(3)
  })

  it('refuses keys and tags that cannot be', async () => {
    const cache = make()
    expect(() => cache.delete('')).toThrow(/1 to 1024/)
    await expect(cache.getOrSet('x'.repeat(1_025), () => 1)).rejects.toThrow(/key/)
    await expect(cache.getOrSet('key', () => 1, { tags: [''] })).rejects.toThrow(/tag/)
    await expect(cache.invalidateTags([''])).rejects.toThrow(/tag/)
  })

  it('takes keys of any characters', async () => {
    const cache = make()
    const keys = ['a{b}c', 'ä ö', '\ud800', 'x'.repeat(1_024), '%', '~', '%7b']
    for (const key of keys) await cache.set(key, key)
    for (const key of keys) expect(await cache.get(key)).toBe(key)
    for (const key of keys) expect(await cache.delete(key)).toBe(true)
    for (const key of keys) expect(await cache.get(key)).toBeUndefined()
  })
})

describe('createCache, several processes on one Redis', () => {
  it('loads once in the fleet', async () => {
    const fleet = copies(4)
    const gate = deferred<string>()
    const asked = fleet.map((cache) => cache.getOrSetEntry('key', gate.loader))
    await until(() => gate.calls === 1)
    gate.resolve('value')
    expect((await Promise.all(asked)).map(({ value }) => value)).toEqual(Array(4).fill('value'))
    expect(gate.calls).toBe(1)
  })

  it('replaces a leader that has gone silent, and does not store what it brings later', async () => {
    const [first, second] = copies(2, { leaseMs: 60_000 }) as [Cache, Cache]
    const gate = deferred<string>()
    const leading = first.getOrSetEntry('key', gate.loader)
    await until(() => gate.calls === 1)
    // As a process that hangs: its renewal comes to nothing, because its lease is gone.
    const keys = (await redis.keys('*:l:*')).filter((key) => key.includes('key'))
    await redis.del(...keys)
    expect(await second.getOrSet('key', () => 'second')).toBe('second')
    gate.resolve('first')
    expect(await leading).toMatchObject({ value: 'first', stored: false })
    expect(await second.get('key')).toBe('second')
  })

  it('gives up waiting for another process after waitMs, and loads by itself', async () => {
    const [first, second] = copies(2, { waitMs: 50 }) as [Cache, Cache]
    const gate = deferred<string>()
    const leading = first.getOrSet('key', gate.loader)
    await until(() => gate.calls === 1)
    expect(await second.getOrSetEntry('key', () => 'own')).toMatchObject({ value: 'own', stored: false })
    gate.resolve('first')
    await leading
  })

  it('sees what another process deleted, invalidated or set', async () => {
    const [first, second] = copies(2) as [Cache, Cache]
    await first.set('key', 1, { tags: ['t'] })
    expect(await second.get('key')).toBe(1)
    await first.set('key', 2, { tags: ['t'] })
    await until(async () => (await second.get('key')) === 2)
    await first.invalidateTags(['t'])
    await until(async () => (await second.get('key')) === undefined)
  })

  it('counts an entry that is corrupt or of another codec as a miss', async () => {
    const prefix = `test-${count++}`
    const [one, other] = [
      createCache({ redis, prefix }),
      createCache({
        redis,
        prefix,
        codec: { name: 'upper', encode: (v) => Buffer.from(String(v)), decode: (b) => b.toString() },
      }),
    ]
    caches.push(one, other)
    await one.set('key', 'json')
    expect(await other.get('key')).toBeUndefined()
    expect(await other.getOrSet('key', () => 'upper')).toBe('upper')
    expect(await one.get('key')).toBeUndefined()
    const [name] = await redis.keys(`${prefix}:cache:1:v:*`)
    for (const bytes of [Buffer.from(''), Buffer.from('junk'), Buffer.alloc(100, 0xc5)]) {
      await redis.set(name!, bytes, 'PX', 60_000)
      const fresh = createCache({ redis, prefix })
      caches.push(fresh)
      expect(await fresh.get('key')).toBeUndefined()
      expect(await fresh.getOrSet('key', () => 'loaded')).toBe('loaded')
    }
  })

  it("returns before the value is stored under writes: 'behind', and stores it all the same", async () => {
    const [behind, other] = copies(2, { writes: 'behind' }) as [Cache, Cache]
    expect(await behind.getOrSetEntry('key', () => 'value')).toMatchObject({ value: 'value', status: 'miss' })
    await until(async () => (await other.get('key')) === 'value')
  })

  it('gives every key a lifetime', async () => {
    const [cache] = copies(1, { prefix: 'ttl' }) as [Cache]
    await cache.getOrSet('key', () => 1, { tags: ['t'] })
    await cache.invalidateTags(['u'])
    const gate = deferred<number>()
    const loading = cache.getOrSet('slow', gate.loader)
    await until(() => gate.calls === 1)
    const keys = await redis.keys('ttl:*')
    expect(keys.sort()).toEqual([
      'ttl:cache:1:l:{slow}',
      'ttl:cache:1:t:{t}',
      'ttl:cache:1:t:{u}',
      'ttl:cache:1:v:{key}',
    ])
    for (const key of keys) expect(await redis.pttl(key)).toBeGreaterThan(0)
    gate.resolve(1)
    await loading
  })

  it('reports how a load ended', async () => {
    const outcomes: string[] = []
    const stop = loadChannel.subscribe(({ outcome }) => outcomes.push(outcome))
    const [cache] = copies(1) as [Cache]
    await cache.getOrSet('a', () => 1)
    await cache.getOrSet('b', () => Promise.reject(new Error('no'))).catch(() => {})
    await cache.getOrSet('c', () => 1, { ttlMs: 0 })
    stop()
    expect(outcomes).toEqual(['stored', 'failed', 'unstored'])
  })
})
