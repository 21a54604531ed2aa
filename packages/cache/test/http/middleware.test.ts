import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { compose } from '@scale/core'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import { type FaultProxy, type RedisServer, startFaultProxy } from '@scale/redis/testing'
import express, { type Express } from 'express'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type Cache,
  type CacheOptions,
  createCache,
  explainCache,
  type HttpCacheOptions,
} from '../../src/index.js'
import { deferred, until } from '../until.js'
import { cacheStatus, close, isHit, listen, portOf, send } from './harness.js'

let server: RedisServer
beforeAll(async () => {
  server = await testRedis()
})
afterAll(() => server.stop())

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const end of closing.splice(0).reverse()) await end()
})

let count = 0

interface Copy {
  cache: Cache
  port: number
  get(path: string, headers?: Record<string, string>): ReturnType<typeof send>
}

/** A process: a cache, and an app that uses it. */
async function copy(
  routes: (app: Express, cache: Cache) => void,
  options: CacheOptions = {},
  url: string | undefined = undefined,
): Promise<Copy> {
  const redis = url === undefined ? undefined : createRedis(url, { maxReconnectDelayMs: 50 })
  if (redis !== undefined) {
    await whenReady(redis, 5_000)
    closing.push(() => redis.disconnect())
  }
  const cache = createCache({ ...(redis === undefined ? {} : { redis, prefix: `http${count}` }), ...options })
  const app = express()
  routes(app, cache)
  const http = await listen(app as never)
  closing.push(
    () => cache.close(),
    () => close(http),
  )
  const port = portOf(http)
  return {
    cache,
    port,
    get: (path, headers) => send(port, 'GET', path, { host: 'site.example', ...headers }),
  }
}

/** A route that counts how often it runs. */
function counted(
  options: HttpCacheOptions = {},
  handler?: (req: express.Request, res: express.Response, run: number) => unknown,
) {
  const route = Object.assign(
    (app: Express, cache: Cache) => {
      app.use(cache.http(options))
      app.use((req, res) => {
        route.runs++
        if (handler === undefined) res.send(`run ${route.runs}`)
        else handler(req, res, route.runs)
      })
    },
    { runs: 0 },
  )
  return route
}

describe('cache.http over several processes', () => {
  it('shares responses, and their invalidation by unsafe requests and by tags', async () => {
    count++
    const route = counted({ tags: ['catalogue'] })
    const [one, two] = [await copy(route, {}, server.url), await copy(route, {}, server.url)]
    expect((await one.get('/a')).body).toBe('run 1')
    await until(async () => isHit(await two.get('/a')))
    expect((await two.get('/a')).body).toBe('run 1')
    await send(one.port, 'PUT', '/a', { host: 'site.example' })
    expect((await one.get('/a')).body).toBe('run 3')
    await until(async () => (await two.get('/a')).body === 'run 3')
    await two.cache.invalidateTags(['catalogue'])
    expect((await two.get('/a')).body).toBe('run 4')
    await until(async () => (await one.get('/a')).body === 'run 4')
  })

  it('runs the handler once for all that ask at the same time', async () => {
    count++
    const gate = deferred()
    const route = counted({}, async (_req, res, run) => {
      await gate.promise
      res.send(`run ${run}`)
    })
    const fleet = await Promise.all(Array.from({ length: 3 }, () => copy(route, {}, server.url)))
    const asked = fleet.flatMap((one) => Array.from({ length: 5 }, () => one.get('/a')))
    await until(() => route.runs === 1)
    await delay(50)
    gate.resolve()
    expect(new Set((await Promise.all(asked)).map(({ body }) => body))).toEqual(new Set(['run 1']))
    expect(route.runs).toBe(1)
  })

  it('writes no URL, query, header or partition into the names of keys', async () => {
    count++
    const route = counted({ partition: () => 'tenant-secret', headers: ['x-secret'] })
    const one = await copy(route, {}, server.url)
    await one.get('/path-secret?token=secret', { 'x-secret': 'secret' })
    await until(async () => ((await server.command('KEYS', `http${count}:*:v:*`)) as string[]).length > 0)
    const keys = (await server.command('KEYS', `http${count}:*`)) as string[]
    expect(keys.join()).not.toContain('secret')
    for (const key of keys) expect(Number(await server.command('PTTL', key))).toBeGreaterThan(0)
  })
})

describe('cache.http and those who wait', () => {
  it('lets nobody wait for what proves uncacheable, and remembers it', async () => {
    const gate = deferred()
    const route = counted({}, async (_req, res, run) => {
      res.setHeader('Cache-Control', 'no-store')
      res.write('head ')
      if (run === 1) await gate.promise
      res.end(`run ${run}`)
    })
    const one = await copy(route)
    const first = one.get('/a')
    await until(() => route.runs === 1)
    const others = await Promise.all([one.get('/a'), one.get('/a')])
    expect(others.map(({ body }) => body).sort()).toEqual(['head run 2', 'head run 3'])
    gate.resolve()
    await first
    await until(async () => cacheStatus(await one.get('/a')) === 'scale; fwd=bypass; detail=hit-for-miss')
  })

  it('lets another lead when the one who led was cut off', async () => {
    const route = counted({}, (req, res, run) => {
      if (run > 1) return res.send(`run ${run}`)
      res.write('half')
      setTimeout(() => res.destroy(), 50)
      void req
    })
    const one = await copy(route)
    const answers = await Promise.allSettled([one.get('/a'), one.get('/a'), one.get('/a')])
    expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    expect((await one.get('/a')).body).toBe('run 2')
    expect(route.runs).toBe(2)
  })

  it('stores what the handler completes although its client has gone', async () => {
    const gate = deferred()
    const route = counted({}, async (_req, res, run) => {
      await gate.promise
      res.send(`run ${run}`)
    })
    const one = await copy(route)
    const socket = connect(one.port, '127.0.0.1')
    socket.write('GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n')
    await until(() => route.runs === 1)
    const waiting = one.get('/a')
    await delay(20)
    socket.destroy()
    gate.resolve()
    // Whether the one who waited was served by that run or led another: no failure of another client reaches it.
    expect((await waiting).status).toBe(200)
    expect(route.runs).toBeLessThanOrEqual(2)
  })

  it('does not mix variants that ask at the same time', async () => {
    const route = counted({}, async (req, res) => {
      await delay(10)
      res.vary('X-Kind')
      res.send(`for ${req.get('x-kind')}`)
    })
    const one = await copy(route)
    const kinds = ['a', 'b', 'c', 'a', 'b', 'c']
    const answers = await Promise.all(kinds.map((kind) => one.get('/a', { 'x-kind': kind })))
    expect(answers.map(({ body }) => body)).toEqual(kinds.map((kind) => `for ${kind}`))
    const again = await Promise.all(kinds.map((kind) => one.get('/a', { 'x-kind': kind })))
    expect(again.map(({ body }) => body)).toEqual(kinds.map((kind) => `for ${kind}`))
  })

  it('stores 32 variants of one resource, the newest: junk does not keep others out', async () => {
    const route = counted({}, (req, res) => res.send(`for ${req.get('x-kind')}`))
    const one = await copy(route)
    for (let i = 0; i < 40; i++) await one.get('/a', { 'x-kind': String(i) })
    expect(isHit(await one.get('/a', { 'x-kind': '39' }))).toBe(true)
    expect(isHit(await one.get('/a', { 'x-kind': '3' }))).toBe(false)
    expect(isHit(await one.get('/a', { 'x-kind': '3' }))).toBe(true)
  })
})

describe('cache.http and what handlers write', () => {
  it('passes chunks through as they come, with back-pressure where they are not wanted', async () => {
    const results: boolean[] = []
    const route = counted({ maxBodyBytes: 100_000 }, async (_req, res) => {
      res.type('text/plain')
      for (let i = 0; i < 20; i++) {
        const goOn = res.write('x'.repeat(30_000))
        results.push(goOn)
        if (!goOn) await once(res, 'drain')
      }
      res.end('end')
    })
    const one = await copy(route)
    const [first, second] = [await one.get('/a'), await one.get('/a')]
    expect(first.body.length).toBe(600_003)
    expect(second.body).toBe(first.body)
    expect(isHit(second)).toBe(false)
    expect(results).toContain(false)
  })

  it('passes chunks through as they come, and stores the whole, at the pace of the handler', async () => {
    const results: boolean[] = []
    const route = counted({}, (_req, res) => {
      for (let i = 0; i < 20; i++) results.push(res.write('x'.repeat(30_000)))
      res.end('end')
    })
    const one = await copy(route)
    const [first, second] = [await one.get('/a'), await one.get('/a')]
    expect(first.body.length).toBe(600_003)
    expect(second.body).toBe(first.body)
    expect(isHit(second)).toBe(true)
    expect(results).not.toContain(false)
  })

  it('stores no body beyond the limit, and no more than the limit in memory', async () => {
    const route = counted({ maxBodyBytes: 1_000 }, (_req, res) => res.send('x'.repeat(2_000)))
    const one = await copy(route)
    expect((await one.get('/a')).headers['cache-status']).toBe('scale; fwd=uri-miss; detail=size')
    expect((await one.get('/a')).body.length).toBe(2_000)
    expect(route.runs).toBe(2)
  })

  it('stores what res.json, res.sendFile, writeHead and pipe write, with their fields', async () => {
    const ways: Record<string, (res: express.Response) => unknown> = {
      '/json': (res) => res.json({ a: 1 }),
      '/file': (res) => res.sendFile('package.json', { root: process.cwd(), maxAge: 60_000 }),
      '/head': (res) => res.writeHead(200, { 'X-A': '1' }).end('text'),
      '/array': (res) => res.writeHead(200, 'Fine', ['X-A', '1', 'X-A', '2'] as never).end('text'),
      '/buffer': (res) => res.end(Buffer.from([0, 200, 255])),
      '/latin1': (res) => res.end('é', 'latin1'),
    }
    const route = counted({}, (req, res) => ways[req.path]!(res))
    const one = await copy(route)
    for (const path of Object.keys(ways)) {
      const [first, second] = [await one.get(path), await one.get(path)]
      expect([path, isHit(second), second.body]).toEqual([path, true, first.body])
      expect(second.headers['content-type']).toBe(first.headers['content-type'])
      expect(second.headers['x-a']).toBe(first.headers['x-a'])
    }
  })

  it('leaves errors of handlers to the error handler, and does not store them', async () => {
    const route = (app: Express, cache: Cache) => {
      app.use(cache.http())
      app.get('/a', () => {
        throw new Error('broken')
      })
      app.use(((_error, _req, res, _next) => {
        res.status(500).send('handled')
      }) as express.ErrorRequestHandler)
    }
    const one = await copy(route)
    expect(await one.get('/a')).toMatchObject({ status: 500, body: 'handled' })
    expect(isHit(await one.get('/a'))).toBe(false)
  })

  it('says what was decided, and by which rule', async () => {
    const seen: unknown[] = []
    const route = (app: Express, cache: Cache) => {
      app.use((_req, res, next) => {
        res.on('finish', () => seen.push(explainCache(res)))
        next()
      })
      app.use(cache.http({ ttlMs: 5_000 }))
      app.use((_req, res) => res.send('x'))
    }
    const one = await copy(route)
    await one.get('/a')
    await one.get('/a')
    await one.get('/a', { authorization: 'x' })
    await until(() => seen.length === 3)
    expect(seen).toMatchObject([
      { decision: 'miss', reason: 'route ttlMs', stored: true },
      { decision: 'hit', rule: 'RFC 9111 §4.2' },
      { decision: 'bypass', reason: 'credentials', stored: false },
    ])
  })

  it('works within compose, its read under way before its turn', async () => {
    count++
    let runs = 0
    const route = (app: Express, cache: Cache) => {
      const slow: express.RequestHandler = (_req, _res, next) => setTimeout(next, 20)
      app.get('/a', compose(slow, cache.http()) as express.RequestHandler, (_req, res) => {
        res.send(`run ${++runs}`)
      })
    }
    const one = await copy(route, { maxBytes: 0 }, server.url)
    await one.get('/a')
    const second = await one.get('/a')
    expect([second.body, cacheStatus(second).includes('detail=l2')]).toEqual(['run 1', true])
  })

  it('names tags for a CDN, and takes surrogate keys from responses', async () => {
    const route = counted({ tags: ['a', 'b c'], sendTags: true })
    const one = await copy(route)
    for (const answer of [await one.get('/a'), await one.get('/a')]) {
      expect(answer.headers).toMatchObject({ 'cache-groups': '"a", "b c"', 'surrogate-key': 'a' })
    }
  })

  it('sends stored text compressed, made once, with an ETag and Vary of its own', async () => {
    const text = 'all work and no play '.repeat(500)
    const route = counted({ encodings: ['br', 'gzip'] }, (_req, res) =>
      res.type('text/plain').set('ETag', '"v"').send(text),
    )
    const one = await copy(route)
    const first = await one.get('/a')
    expect(first.headers).toMatchObject({ vary: 'accept-encoding' })
    for (const [accepted, encoding] of [
      ['gzip', 'gzip'],
      ['gzip, br', 'br'],
      ['br;q=0, gzip', 'gzip'],
    ] as const) {
      await until(
        async () =>
          (await one.get('/a', { 'accept-encoding': accepted })).headers['content-encoding'] === encoding,
      )
      const { headers } = await one.get('/a', { 'accept-encoding': accepted })
      expect(headers).toMatchObject({ etag: `"v-${encoding}"`, vary: 'accept-encoding' })
      expect(Number(headers['content-length'])).toBeLessThan(500)
      const condition = { 'accept-encoding': accepted, 'if-none-match': `"v-${encoding}"` }
      expect((await one.get('/a', condition)).status).toBe(304)
    }
    for (const headers of [{}, { 'accept-encoding': 'identity' }, { 'accept-encoding': 'gzip;q=0' }]) {
      const plain = await one.get('/a', headers)
      expect([plain.body, plain.headers.etag, plain.headers['content-encoding']]).toEqual([
        text,
        '"v"',
        undefined,
      ])
    }
    expect((await one.get('/a', { 'accept-encoding': 'br', range: 'bytes=0-2' })).body).toBe('all')
    expect(route.runs).toBe(1)
  })

  it('refuses options that contradict each other or do not exist', async () => {
    const cache = createCache()
    expect(() => cache.http({ policy: 'origin', ttlMs: 1 })).toThrow(/ttlMs/)
    expect(() => cache.http({ ttl: 1 } as never)).toThrow(/ttlMs/)
    expect(() => cache.http({ headers: ['a b'] })).toThrow(/field name/)
  })
})

/** The smallest that no more than 1 in 100 exceed. */
function p99(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1]!
}

describe('cache.http while Redis fails', () => {
  const DEADLINE_MS = 60
  const REQUESTS = 1_000
  const AT_ONCE = 10
  const faults: [string, (proxy: FaultProxy) => unknown][] = [
    [
      'stopped',
      async (proxy) => {
        await proxy.set({ refuse: true })
        proxy.reset()
      },
    ],
    ['black-holed', (proxy) => proxy.set({ blackHole: true })],
    ['slow', (proxy) => proxy.set({ latencyMs: 3_000 })],
  ]
  it.each(faults)(
    'answers by the handler when Redis is %s: p99 within deadline and handler',
    async (_name, fault) => {
      count++
      const proxy = await startFaultProxy({ target: server })
      closing.push(() => proxy.close())
      const handler: express.RequestHandler = (_req, res) => setTimeout(() => res.send('answer'), 10)
      const route = (app: Express, cache: Cache) => {
        app.get('/plain', handler)
        app.use(cache.http(), handler)
      }
      const one = await copy(route, { deadlineMs: DEADLINE_MS }, proxy.url)
      await one.get('/warm')
      await fault(proxy)
      const timed = async (path: string): Promise<number> => {
        const startedAt = performance.now()
        expect(await one.get(path)).toMatchObject({ status: 200, body: 'answer' })
        return performance.now() - startedAt
      }
      // The same handler without a cache, at the same time, says what this machine takes for it now.
      const [cached, plain]: [number[], number[]] = [[], []]
      for (let round = 0; round < REQUESTS / AT_ONCE; round++) {
        const paths = Array.from({ length: AT_ONCE }, (_, i) => `/${round}-${i}`)
        cached.push(...(await Promise.all(paths.map(timed))))
        plain.push(...(await Promise.all(paths.map(() => timed('/plain')))))
      }
      // A machine that stalls does so in one of the two: who waited for Redis itself would wait for seconds.
      expect(p99(cached)).toBeLessThan(DEADLINE_MS + 2 * p99(plain) + 1_000)
      await proxy.clear()
      await until(async () => isHit(await one.get('/after')))
    },
  )
})
