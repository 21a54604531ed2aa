import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import { type RedisServer, startFaultProxy } from '@scale/redis/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Cache, type CacheOptions, createCache } from '../src/index.js'
import { deferred, until } from './until.js'

let server: RedisServer
beforeAll(async () => {
  server = await testRedis()
})
afterAll(() => server.stop())

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

let count = 0
function inProcess(options: CacheOptions = {}): Cache {
  const cache = createCache({ jitterRatio: 0, ...options })
  closing.push(() => cache.close())
  return cache
}

async function onRedis(options: CacheOptions = {}, url = server.url): Promise<Cache> {
  const redis = createRedis(url, { maxReconnectDelayMs: 50 })
  await whenReady(redis, 5_000)
  const cache = createCache({ redis, prefix: `faults${count}`, jitterRatio: 0, earlyRefresh: 0, ...options })
  closing.push(
    () => cache.close(),
    () => redis.disconnect(),
  )
  return cache
}

describe('loaders that ask the cache', () => {
  it('do not wait for a slot that they hold themselves', async () => {
    const cache = inProcess({ maxConcurrentLoads: 4 })
    const parents = Array.from({ length: 16 }, (_, i) =>
      cache.getOrSet(
        `parent:${i}`,
        async () => `of ${await cache.getOrSet(`child:${i}`, () => `child ${i}`)}`,
      ),
    )
    expect((await Promise.all(parents))[15]).toBe('of child 15')
  })

  it('fail at once where they ask for their own key, or in a circle, with the keys', async () => {
    const cache = inProcess()
    const own = cache.getOrSet('a', () => cache.getOrSet('a', () => 1))
    await expect(own).rejects.toMatchObject({ code: 'ERR_SCALE_CACHE_CYCLE', message: /a → a/ })
    const circle = cache.getOrSet('a', () => cache.getOrSet('b', () => cache.getOrSet('a', () => 1)))
    await expect(circle).rejects.toThrow(/b → a → b/)
    expect(await cache.getOrSet('a', () => 'works')).toBe('works')
  })

  it('fail at once where two that began apart wait for each other', async () => {
    const cache = inProcess()
    const [a, b] = [deferred(), deferred()]
    const both = [
      cache.getOrSet('a', async () => {
        await a.promise
        return cache.getOrSet('b', () => 'b')
      }),
      cache.getOrSet('b', async () => {
        await b.promise
        return cache.getOrSet('a', () => 'a')
      }),
    ]
    a.resolve()
    b.resolve()
    const ended = await Promise.allSettled(both)
    expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  it('may ask for one key twice, and for what another asks for', async () => {
    const cache = inProcess()
    const shared = () => cache.getOrSet('shared', async () => 'x')
    const ask = (key: string) =>
      cache.getOrSet(key, async () => (await Promise.all([shared(), shared()])).join(''))
    expect(await Promise.all([ask('a'), ask('b')])).toEqual(['xx', 'xx'])
  })
})

describe('what is old', () => {
  it('goes when its loader says that nothing is to be stored', async () => {
    count++
    for (const cache of [
      inProcess({ ttlMs: 20, staleWhileRevalidateMs: 60_000 }),
      await onRedis({ ttlMs: 20, staleWhileRevalidateMs: 60_000 }),
    ]) {
      await cache.getOrSet('key', () => 'old')
      await until(async () => (await cache.getEntry('key'))?.status === 'stale')
      await cache.getOrSet('key', () => 'gone', { ttlMs: 0 })
      await until(async () => (await cache.get('key')) === undefined)
    }
  })

  it('is not kept from going by a tag that was opened for a shorter time than it lives', async () => {
    count++
    const cache = await onRedis({ ttlMs: 1_000 })
    await cache.getOrSet('key', () => 'value', { tags: ['t'], ttlMs: () => 86_400_000 })
    const [name] = (await server.command('KEYS', `faults${count}:cache:1:t:*`)) as string[]
    expect(Number(await server.command('PTTL', name!))).toBeGreaterThanOrEqual(86_000_000)
  })

  it('is served for the stale window once after a soft invalidation, whatever is read meanwhile', async () => {
    count++
    const cache = await onRedis({ staleWhileRevalidateMs: 300, maxBytes: 0 })
    await cache.set('key', 'old', { tags: ['t'] })
    await cache.invalidateTags(['t'], { soft: true })
    const startedAt = performance.now()
    await until(async () => (await cache.get('key')) === undefined, 3_000)
    expect(performance.now() - startedAt).toBeLessThan(1_500)
  })

  it('is loaded anew by a deploy that adds a tag', async () => {
    count++
    const before = await onRedis()
    const after = await onRedis()
    await before.getOrSet('key', () => 'old', { tags: ['a'] })
    expect(await after.getOrSet('key', () => 'new', { tags: ['a', 'b'] })).toBe('new')
    await after.invalidateTags(['b'])
    expect(await after.get('key')).toBeUndefined()
  })

  it('stands in for a refresh that fails, for those who joined it too', async () => {
    const cache = inProcess({
      ttlMs: 50,
      staleWhileRevalidateMs: 50,
      staleIfErrorMs: 60_000,
      earlyRefresh: 0,
    })
    await cache.getOrSet('key', () => 'old')
    await until(async () => (await cache.getEntry('key'))?.status === 'stale')
    const gate = deferred<string>()
    expect(await cache.getOrSet('key', gate.loader)).toBe('old')
    await until(async () => (await cache.getEntry('key')) === undefined)
    const joined = cache.getOrSet('key', gate.loader)
    gate.reject(new Error('down'))
    expect(await joined).toBe('old')
  })
})

describe('values above maxValueBytes', () => {
  it('are what the codec gives, frozen, as smaller ones', async () => {
    const cache = inProcess({ maxValueBytes: 100 })
    const value = await cache.getOrSet('key', () => ({ at: new Date(0), text: 'x'.repeat(200) }))
    expect([value.at, Object.isFrozen(value)]).toEqual(['1970-01-01T00:00:00.000Z', true])
  })
})

describe('invalidations that Redis has not acknowledged', () => {
  it('hold up no read of another key, and end with close', { timeout: 30_000 }, async () => {
    count++
    const proxy = await startFaultProxy({ target: server })
    closing.push(() => proxy.close())
    const cache = await onRedis({}, proxy.url)
    const other = await onRedis()
    await other.set('gone', 'old', { tags: ['t'] })
    await proxy.set({ refuse: true })
    proxy.reset()
    await until(async () => !(await cache.delete('0')))
    await Promise.all(Array.from({ length: 3_000 }, (_, i) => cache.delete(`${i}`)))
    expect(await cache.invalidateTags(['t'])).toBe(false)
    const startedAt = performance.now()
    expect(await cache.getOrSet('unrelated', () => 'value')).toBe('value')
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    await proxy.clear()
    await until(async () => (await cache.getOrSetEntry('probe', () => 1)).stored || true)
    expect(await cache.close()).toBe(true)
    expect(await other.get('gone')).toBeUndefined()
  })

  it('are told of by close, if they stay so', async () => {
    count++
    const proxy = await startFaultProxy({ target: server })
    closing.push(() => proxy.close())
    const cache = await onRedis({}, proxy.url)
    await proxy.set({ refuse: true })
    proxy.reset()
    await until(async () => !(await cache.delete('key')))
    expect(await cache.close()).toBe(false)
  })

  it('may be of very many tags: they go in parts, and the event loop stands still for none of them', async () => {
    count++
    const cache = await onRedis({ deadlineMs: 5_000 })
    const tags = Array.from({ length: 20_000 }, (_, i) => `tag:${i}`)
    await cache.set('key', 'old', { tags: ['tag:19999'] })
    let longest = 0
    // Of this process's own time: a machine that is busy with others lets it stand still too.
    const spentMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1_000
    let last = spentMs()
    const timer = setInterval(() => {
      longest = Math.max(longest, spentMs() - last)
      last = spentMs()
    }, 1)
    expect(await cache.invalidateTags(tags)).toBe(true)
    clearInterval(timer)
    expect(await cache.get('key')).toBeUndefined()
    expect(longest).toBeLessThan(500)
  })
})

it('says that there are too many tags, if that is it', async () => {
  const tags = Array.from({ length: 65 }, (_, i) => `t${i}`)
  await expect(inProcess().getOrSet('key', () => 1, { tags })).rejects.toThrow(/up to 64/)
})
