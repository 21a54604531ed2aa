import { findRedisServer, testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import { type RedisCluster, type RedisServer, startFaultProxy, startRedisCluster } from '@scale/redis/testing'
import express from 'express'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { braced, HTTP_KEY, unbraced } from '../src/entries/names.js'
import { ROOT, within } from '../src/entries/namespace.js'
import { type Cache, type CacheOptions, createCache } from '../src/index.js'
import { isHit, listen, portOf, send, close as shut } from './http/harness.js'
import { deferred, PATIENT, until } from './until.js'

let server: RedisServer
let cluster: RedisCluster
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([testRedis(), startRedisCluster(await findRedisServer())])
})
afterAll(() => Promise.all([server.stop(), cluster.stop()]))

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

let count = 0
async function onRedis(options: CacheOptions = {}, url = server.url): Promise<Cache> {
  const redis = createRedis(url, { maxReconnectDelayMs: 50, ...PATIENT })
  await whenReady(redis, 10_000)
  const cache = createCache({ redis, prefix: `many${count}`, jitterRatio: 0, earlyRefresh: 0, ...options })
  closing.push(
    () => cache.close(),
    () => redis.disconnect(),
  )
  return cache
}

async function scripts(): Promise<number> {
  const stats = String(await server.command('INFO', 'commandstats'))
  const calls = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)]
  return calls.reduce((sum, [, number]) => sum + Number(number), 0)
}

const stores: [string, (options?: CacheOptions) => Promise<Cache>][] = [
  [
    'memory',
    async (options) => {
      const cache = createCache({ jitterRatio: 0, ...options })
      closing.push(() => cache.close())
      return cache
    },
  ],
  ['redis', (options) => onRedis(options)],
  ['a cluster', (options) => onRedis(options, cluster.url)],
]

describe.each(stores)('many keys at once on %s', (_name, make) => {
  it('are read, stored and deleted as one by one', async () => {
    count++
    const [cache, plain] = [await make({ l1TtlMs: 1 }), await make()]
    const keys = Array.from({ length: 450 }, (_, i) => `key ${i}`)
    const some = keys.filter((_, i) => i % 3 === 0)
    const list = some.map((key, i) => ({ key, value: i, tags: [`tag:${i % 2}`], ttlMs: 60_000 }))
    for (const one of [cache, plain]) {
      expect(await one.setMany(list)).toBe(true)
      expect(await one.getMany(keys)).toEqual(keys.map((_, i) => (i % 3 === 0 ? i / 3 : undefined)))
      expect(await one.invalidateTags(['tag:1'])).toBe(true)
      expect(await one.getMany(some.slice(0, 4))).toEqual([0, undefined, 2, undefined])
      expect([await one.has(some[0]!), await one.has(some[1]!)]).toEqual([true, false])
      expect(await one.deleteMany(keys)).toBe(true)
      expect(await one.getMany(keys)).toEqual(keys.map(() => undefined))
    }
  })

  it('may name one twice, or none', async () => {
    count++
    const cache = await make()
    await cache.set('a', undefined)
    expect([await cache.getMany(['a', 'b', 'a']), await cache.has('a')]).toEqual([
      [undefined, undefined, undefined],
      true,
    ])
    expect([await cache.getMany([]), await cache.setMany([]), await cache.deleteMany([])]).toEqual([
      [],
      true,
      true,
    ])
    await expect(cache.getMany(['a', ''])).rejects.toMatchObject({ code: 'ERR_SCALE_CACHE_KEY' })
  })

  it('keep apart what lies in different namespaces, and clear each by itself', async () => {
    count++
    const cache = await make()
    const spaces = [
      cache,
      cache.namespace('users'),
      cache.namespace('users').namespace('eu'),
      cache.namespace('eu'),
    ]
    const load = (i: number) => spaces[i]!.getOrSetEntry('users:1', () => `of ${i}`)
    for (const i of spaces.keys()) expect((await load(i)).value).toBe(`of ${i}`)
    for (const i of spaces.keys()) expect(await load(i)).toMatchObject({ value: `of ${i}`, status: 'hit' })
    expect(await spaces[2]!.set('other', 1)).toBe(true)
    expect(await cache.namespace('users').clear()).toBe(true)
    const left = await Promise.all(spaces.map((space) => space.get('users:1')))
    expect(left).toEqual(['of 0', undefined, undefined, 'of 3'])
    expect(await spaces[2]!.has('other')).toBe(false)
  })

  it('fence off what is being loaded while its namespace is cleared', async () => {
    count++
    const space = (await make()).namespace('users')
    const gate = deferred<string>()
    const loading = space.getOrSetEntry('1', gate.loader, { tags: () => ['late'] })
    await until(() => gate.calls === 1)
    await space.clear()
    gate.resolve('old')
    expect((await loading).value).toBe('old')
    expect(await space.getOrSet('1', () => 'new')).toBe('new')
  })
})

it('reads many keys by one script, and each of their tags once', async () => {
  count++
  const cache = await onRedis({ maxBytes: 0 })
  const keys = Array.from({ length: 150 }, (_, i) => `${i}`)
  await cache.setMany(keys.map((key) => ({ key, value: key, tags: ['all'] })))
  await cache.getMany(keys)
  const before = await scripts()
  expect(await cache.getMany(keys)).toEqual(keys)
  expect((await scripts()) - before).toBe(2)
})

it('tells other processes of a namespace that is cleared', async () => {
  count++
  const [one, other] = [await onRedis(), await onRedis()]
  await one.namespace('users').set('1', 'old')
  await until(async () => (await other.namespace('users').getEntry('1'))?.layer === 'l1')
  await one.namespace('users').clear()
  await until(async () => !(await other.namespace('users').has('1')))
})

it('tells a loader the key that its caller knows, and a cycle the namespace', async () => {
  const cache = createCache()
  closing.push(() => cache.close())
  const space = cache.namespace('users')
  expect(await space.getOrSet('1', ({ key }) => key)).toBe('1')
  await expect(space.getOrSet('2', () => space.getOrSet('2', () => 1))).rejects.toThrow('users:2 → users:2')
})

it.each(['', 'a/b', 'ü', 'x'.repeat(65), 7])('refuses %j as a namespace', (name) => {
  const cache = createCache()
  closing.push(() => cache.close())
  expect(() => cache.namespace(name as string)).toThrow(/A namespace must be/)
  expect('clear' in cache).toBe(false)
})

it('gives every key of every namespace a name of its own, from which it can be read', () => {
  const names = new Map<string, string>()
  const word = fc.stringMatching(/^[\w.-]{1,8}$/)
  const key = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
    fc.stringMatching(/^[a:/~%{}]{1,6}$/),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 2 }), key, (path, own) => {
      fc.pre(!own.startsWith('\0'))
      const whole = path.reduce(within, ROOT).prefix + own
      const name = braced(whole)
      expect(name).toMatch(/^\{[^{}]+\}$/)
      expect(unbraced(name)).toBe(whole)
      expect(names.get(name) ?? whole).toBe(whole)
      names.set(name, whole)
    }),
    { numRuns: 2_000 },
  )
})

describe('cache.http', () => {
  async function app(
    options: CacheOptions & { url?: string },
    routes: (app: express.Express, cache: Cache) => void,
  ) {
    const { url, ...rest } = options
    const cache = await onRedis(rest, url)
    const made = express()
    routes(made, cache)
    const http = await listen(made as never)
    closing.unshift(() => shut(http))
    const ask = (method: string, path: string) => send(portOf(http), method, path, { host: 'site.example' })
    return { cache, ask }
  }

  it('stores responses in the namespace that it is of', async () => {
    count++
    const { cache, ask } = await app({}, (app, cache) => {
      app.use(cache.namespace('pages').http())
      app.use((_req, res) => void res.send('page'))
    })
    const warm = async () => {
      await ask('GET', '/')
      await until(async () => isHit(await ask('GET', '/')))
    }
    await warm()
    await cache.namespace('other').clear()
    expect(isHit(await ask('GET', '/'))).toBe(true)
    await cache.namespace('pages').clear()
    expect(isHit(await ask('GET', '/'))).toBe(false)
  })

  it('gives no stored response to who asks for a value under its key', async () => {
    count++
    const { cache, ask } = await app({}, (app, cache) => {
      app.use(cache.http())
      app.use((_req, res) => void res.send('page'))
    })
    await ask('GET', '/')
    await until(async () => isHit(await ask('GET', '/')))
    const key = `${HTTP_KEY}http://site.example/`
    await expect(cache.getOrSet(key, () => 'own')).rejects.toMatchObject({ code: 'ERR_SCALE_CACHE_KEY' })
    await expect(cache.get(key)).rejects.toMatchObject({ code: 'ERR_SCALE_CACHE_KEY' })
  })

  const unacknowledged = async (onUnacknowledged: 'answer' | 'reject' | undefined) => {
    count++
    const proxy = await startFaultProxy({ target: server })
    closing.push(() => proxy.close())
    const { cache, ask } = await app({ url: proxy.url, deadlineMs: 100 }, (app, cache) => {
      app.use(cache.http(onUnacknowledged === undefined ? {} : { onUnacknowledged }))
      app.put('/whole', (_req, res) => void res.set('X-Of', 'handler').status(201).send('done'))
      app.put('/begun', (_req, res) => {
        res.write('half')
        setImmediate(() => res.end('whole'))
      })
      app.put('/failed', (_req, res) => void res.status(409).send('no'))
      app.use(((error, _req, res, _next) => {
        res.status(error.status).set(error.headers).json({ code: error.code })
      }) as express.ErrorRequestHandler)
    })
    await proxy.set({ holdReplies: true })
    return { proxy, cache, ask }
  }

  it.each([undefined, 'answer'] as const)(
    'answers as the handler does while Redis is silent: %s',
    async (mode) => {
      const { ask } = await unacknowledged(mode)
      expect(await ask('PUT', '/whole')).toMatchObject({ status: 201, body: 'done' })
      expect(await ask('PUT', '/begun')).toMatchObject({ status: 200, body: 'halfwhole' })
    },
  )

  it("rejects an unsafe request that is not acknowledged, with onUnacknowledged: 'reject'", async () => {
    const { proxy, ask } = await unacknowledged('reject')
    const answer = await ask('PUT', '/whole')
    expect(answer).toMatchObject({ status: 503, body: '{"code":"ERR_SCALE_CACHE_UNACKNOWLEDGED"}' })
    expect([answer.headers['retry-after'], answer.headers['x-of']]).toEqual(['1', undefined])
    await expect(ask('PUT', '/begun')).rejects.toThrow()
    expect(await ask('PUT', '/failed')).toMatchObject({ status: 409, body: 'no' })
    await proxy.clear()
    await until(async () => (await ask('PUT', '/whole')).status === 201)
  })

  it('waits in close for an invalidation that is on its way', async () => {
    count++
    const proxy = await startFaultProxy({ target: server })
    closing.push(() => proxy.close())
    const cache = await onRedis({ deadlineMs: 300 }, proxy.url)
    await cache.set('key', 'old')
    await proxy.set({ holdReplies: true })
    const deleted = cache.delete('key')
    expect(await Promise.all([cache.close(), deleted])).toEqual([false, false])
  })
})
