import { once } from 'node:events'
import { get, request } from 'node:http'
import { connect } from 'node:net'
import { PassThrough, pipeline } from 'node:stream'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import express, { type Express } from 'express'
import sessions from 'express-session'
import helmet from 'helmet'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Cache, type CacheOptions, createCache } from '../../src/index.js'
import { deferred, PATIENT, until } from '../until.js'
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
async function app(
  routes: (app: Express, cache: Cache) => void,
  { shared = false, ...options }: CacheOptions & { shared?: boolean } = {},
) {
  const redis = shared ? createRedis(server.url, PATIENT) : undefined
  if (redis !== undefined) {
    await whenReady(redis, 5_000)
    closing.push(() => redis.disconnect())
  }
  const cache = createCache({
    jitterRatio: 0,
    ...(redis === undefined ? {} : { redis, prefix: `httpfaults${count}` }),
    ...options,
  })
  const made = express()
  routes(made, cache)
  const http = await listen(made as never)
  closing.push(
    () => cache.close(),
    () => close(http),
  )
  const port = portOf(http)
  const ask = (path: string, headers: Record<string, string> = {}) =>
    send(port, 'GET', path, { host: 'site.example', ...headers })
  const other = (method: string, path: string) => send(port, method, path, { host: 'site.example' })
  return { port, cache, get: ask, send: other }
}

/** Well below `waitMs`, and well above what a busy machine takes. */
const AT_ONCE_MS = 3_000
async function atOnce<Result>(run: Promise<Result>): Promise<Result> {
  const startedAt = performance.now()
  const result = await run
  expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS)
  return result
}

describe('cache.http: whose answer it is', () => {
  it.each<[string, () => unknown]>([
    ['a promise', () => Promise.resolve('a')],
    ['an object', () => ({ tenant: 'a' })],
    ['an array', () => ['a']],
    ['a number', () => 7],
    ['null', () => null],
    ['an empty string', () => ''],
    ['a String object', () => new String('a')],
  ])('fails a request whose partition is %s', async (_name, partition) => {
    const { get } = await app((app, cache) => {
      app.use(cache.http({ partition: partition as never }))
      app.use((req, res) => res.send(`for ${req.headers.authorization}`))
    })
    for (const user of ['alice', 'bob']) {
      const { status, body } = await get('/', { authorization: user })
      expect([status, body.includes('for ')]).toEqual([500, false])
    }
  })

  const upstream: [
    string,
    (req: express.Request, res: express.Response) => void,
    (req: express.Request, res: express.Response) => unknown,
  ][] = [
    [
      'a property of the request',
      (req) => Object.assign(req, { account: req.headers['x-id'] }),
      (req) => Reflect.get(req, 'account'),
    ],
    [
      'a local',
      (req, res) => Object.assign(res.locals, { account: req.headers['x-id'] }),
      (_req, res) => res.locals.account,
    ],
    [
      'a rewritten target',
      (req) => {
        req.url = `/of/${req.headers['x-id']}`
      },
      (req) => req.url,
    ],
    [
      'another method',
      (req) => void Object.assign(req, { originalMethod: `X${req.headers['x-id']}` }),
      (req) => Reflect.get(req, 'originalMethod'),
    ],
  ]
  it.each(upstream)('keeps apart what middleware in front puts into %s', async (_name, identify, answer) => {
    const { get } = await app((app, cache) => {
      app.use((req, res, next) => {
        identify(req, res)
        next()
      })
      app.use(cache.http())
      app.use((req, res) => res.send(String(answer(req, res))))
    })
    for (const id of ['alice', 'bob', 'alice', 'carol'])
      expect((await get('/', { 'x-id': id })).body).toContain(id)
  })

  it.each(['x-api-key', 'X-Auth-Token', 'api-key'])('goes past the cache for %s', async (name) => {
    const { get } = await app((app, cache) => {
      app.use((req, _res, next) => {
        Object.defineProperty(req, Symbol.for('account'), { value: req.get(name) })
        next()
      })
      app.use(cache.http())
      app.use((req, res) => res.send(String(Reflect.get(req, Symbol.for('account')))))
    })
    for (const id of ['alice', 'bob']) expect((await get('/', { [name]: id })).body).toBe(id)
  })

  it.each<[string, (req: express.Request) => unknown]>([
    ['remoteAddress', (req) => req.socket.remoteAddress],
    ['connection', (req) => req.connection.remotePort],
    ['getPeerCertificate', (req) => (req.socket as { getPeerCertificate?: unknown }).getPeerCertificate],
  ])('does not store what a handler makes of the peer: %s', async (_name, read) => {
    const { get } = await app((app, cache) => {
      app.use(cache.http())
      app.use((req, res) => res.send(String(read(req))))
    })
    await get('/')
    expect(isHit(await get('/'))).toBe(false)
  })

  it('stores what a handler makes of protocol, host and secure', async () => {
    const { get } = await app((app, cache) => {
      app.use(cache.http())
      app.use((req, res) => res.send(`${req.protocol}://${req.hostname} ${req.secure}`))
    })
    await get('/')
    const second = await get('/')
    expect([isHit(second), second.body]).toEqual([true, 'http://site.example false'])
  })

  it('hides undeclared parameters wherever a handler looks, and gives them back to a log in front', async () => {
    const logged: string[] = []
    const { get } = await app((app, cache) => {
      app.use((req, res, next) => {
        res.on('finish', () => logged.push(req.originalUrl))
        next()
      })
      app.use(cache.http({ query: ['page'] }))
      app.use((req, res) => {
        const { _parsedUrl } = req as unknown as { _parsedUrl: unknown }
        res.json([req.url, req.originalUrl, req.query, req.path, _parsedUrl])
      })
    })
    const { body } = await get('/list?page=1&utm=evil')
    expect(body).not.toContain('evil')
    expect(isHit(await get('/list?page=1&utm=other'))).toBe(true)
    expect(logged).toContain('/list?page=1&utm=evil')
  })
})

it.each(['surrogate-key', 'cache-groups'])(
  'a response that is under way is for nobody who asks after the invalidation of what it names in %s',
  async (field) => {
    let runs = 0
    const gate = deferred()
    const {
      get,
      cache,
      send: put,
    } = await app((app, cache) => {
      app.use(cache.http())
      app.get('/', async (_req, res) => {
        const run = ++runs
        res.set(field, field === 'cache-groups' ? '"late"' : 'late')
        if (run === 1) await gate.promise
        res.send(`run ${run}`)
      })
      app.put('/other', (_req, res) => void res.set('Cache-Group-Invalidation', '"late"').send('done'))
    })
    const before = get('/')
    await until(() => runs === 1)
    if (field === 'cache-groups') await put('PUT', '/other')
    else await cache.invalidateTags(['late'])
    const after = get('/')
    // It is on its way, and waits for the one that began before.
    await new Promise((resolve) => setTimeout(resolve, 100))
    gate.resolve()
    expect((await before).body).toBe('run 1')
    expect((await after).body).toBe('run 2')
  },
)

describe('cache.http: middleware in front and behind', () => {
  it('stores although a session in front, and helmet, look at the request when the response ends', async () => {
    let runs = 0
    const { get } = await app((app, cache) => {
      app.use(helmet())
      app.use(sessions({ secret: 's', resave: true, saveUninitialized: true }))
      app.use(cache.http())
      app.use((_req, res) => res.send(`run ${++runs}`))
    })
    const first = await get('/')
    expect([cacheStatus(first), first.headers['set-cookie']?.length]).toEqual([
      'scale; fwd=uri-miss; stored',
      1,
    ])
    const second = await get('/')
    expect([isHit(second), second.body]).toEqual([true, 'run 1'])
    expect(second.headers['set-cookie']).not.toEqual(first.headers['set-cookie'])
  })

  it('stores although what stands in front reads fields while the head is written', async () => {
    const { get } = await app((app, cache) => {
      app.use((req, res, next) => {
        const { writeHead, write, end } = res
        const reading = (method: (...args: never[]) => unknown) =>
          function (this: unknown, ...args: never[]) {
            void [req.headers['accept-encoding'], req.headers.cookie, req.socket.remoteAddress, req.ip]
            return method.apply(this, args)
          }
        Object.assign(res, { writeHead: reading(writeHead), write: reading(write), end: reading(end) })
        next()
      })
      app.use(cache.http())
      app.use((_req, res) => {
        res.write('a')
        res.end('b')
      })
    })
    await get('/')
    const second = await get('/')
    expect([isHit(second), second.body, second.headers.vary]).toEqual([true, 'ab', undefined])
  })

  it('stores although a handler looks for a cookie and an authorization that are not there', async () => {
    const { get } = await app((app, cache) => {
      app.use((req, _res, next) => {
        Object.assign(req, { cookies: {} })
        next()
      })
      app.use(cache.http())
      app.use((req, res) => res.send(`${req.get('authorization')} ${req.headers.cookie} ${req.cookies.user}`))
    })
    await get('/')
    expect(isHit(await get('/'))).toBe(true)
    expect((await get('/', { authorization: 'a' })).body).toContain('a ')
  })

  it('is one visit where it is mounted twice: the inner one says for how long, and by which tags', async () => {
    let runs = 0
    const { get, cache } = await app((app, cache) => {
      app.use(cache.http())
      app.get('/a', cache.http({ ttlMs: 5_000, tags: ['inner'] }), (_req, res) => {
        res.send(`run ${++runs}`)
      })
    })
    const [first, other] = await atOnce(Promise.all([get('/a'), get('/a')]))
    expect([first!.body, other!.body]).toEqual(['run 1', 'run 1'])
    expect(cacheStatus(await get('/a'))).toMatch(/hit; ttl=[0-4];/)
    await cache.invalidateTags(['inner'])
    await until(async () => (await get('/a')).body === 'run 2')
  })
})

describe('cache.http: a handler in the background', () => {
  it.each<[string, (res: express.Response) => unknown]>([
    [
      'a pipeline whose source breaks',
      (res) => {
        const source = new PassThrough()
        pipeline(source, res, () => {})
        source.write('half')
        setImmediate(() => source.destroy(new Error('upstream')))
      },
    ],
    ['destroy with an error', (res) => res.destroy(new Error('broken'))],
    [
      'an error after the head',
      (res) => {
        res.write('half')
        setImmediate(() => res.destroy(new Error('broken')))
      },
    ],
    ['emit of an error', (res) => res.emit('error', new Error('broken'))],
    ['destroy without one', (res) => res.destroy()],
    [
      'an error that is thrown',
      () => {
        throw new Error('thrown')
      },
    ],
    [
      'a write after the end',
      (res) => {
        res.end('x')
        res.write('y')
      },
    ],
  ])('owns its errors: %s', async (_name, end) => {
    let runs = 0
    const errors: unknown[] = []
    const onError = (error: unknown) => errors.push(error)
    process.on('uncaughtException', onError)
    closing.push(() => process.off('uncaughtException', onError))
    const { get } = await app(
      (app, cache) => {
        app.use(cache.http({ ttlMs: 20, staleWhileRevalidateMs: 60_000 }))
        app.use((_req, res) => {
          if (++runs === 1) res.send('old')
          else end(res)
        })
        app.use(((_error, _req, res, _next) => res.status(500).end('x')) as express.ErrorRequestHandler)
      },
      { earlyRefresh: 0 },
    )
    await get('/')
    await until(async () => /stale/.test(cacheStatus(await get('/'))))
    await until(() => runs > 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(errors).toEqual([])
    expect((await atOnce(get('/'))).status).toBe(200)
  })
})

describe.each([
  ['one process', false],
  ['two processes on Redis', true],
])('cache.http: the next client is not kept waiting, %s', (_name, shared) => {
  async function pair(routes: (app: Express, cache: Cache) => void) {
    count++
    const one = await app(routes, { shared })
    return [one, shared ? await app(routes, { shared }) : one] as const
  }

  it.each<[string, Record<string, string>]>([
    ['server-sent events', { 'content-type': 'text/event-stream' }],
    ['a private, no-store stream', { 'cache-control': 'private, no-store' }],
    ['a body that announces to be too large', { 'content-length': '99999999' }],
  ])('behind %s', async (_what, headers) => {
    const [one, two] = await pair((app, cache) => {
      app.use(cache.http())
      app.use((_req, res) => {
        res.writeHead(200, headers)
        res.write('first\n')
      })
    })
    const open = async (port: number) => {
      const req = get({ port, path: '/', headers: { host: 'site.example' }, agent: false })
      req.on('error', () => {})
      closing.push(() => req.destroy())
      const [res] = await once(req, 'response')
      await once(res, 'data')
    }
    await open(one.port)
    for (let i = 0; i < 3; i++) await atOnce(open(two.port))
  })

  it('behind a body that grows beyond the limit', async () => {
    const [one, two] = await pair((app, cache) => {
      app.use(cache.http({ maxBodyBytes: 1_000 }))
      app.use((_req, res) => {
        res.write('x'.repeat(2_000))
      })
    })
    const open = async (port: number) => {
      const req = get({ port, path: '/', headers: { host: 'site.example' }, agent: false })
      req.on('error', () => {})
      closing.push(() => req.destroy())
      await once(req, 'response')
    }
    await open(one.port)
    await atOnce(open(two.port))
  })

  it('behind a client that does not read a large body', async () => {
    const body = Buffer.alloc(900_000, 'x')
    let runs = 0
    const [one, two] = await pair((app, cache) => {
      app.use(cache.http())
      app.use((_req, res) => {
        runs++
        const source = new PassThrough()
        source.pipe(res)
        for (let i = 0; i < body.length; i += 50_000) source.write(body.subarray(i, i + 50_000))
        source.end()
      })
    })
    const slow = connect(one.port, '127.0.0.1')
    closing.push(() => slow.destroy())
    slow.pause()
    slow.write('GET / HTTP/1.1\r\nHost: site.example\r\n\r\n')
    await until(() => runs === 1)
    expect((await atOnce(two.get('/'))).body.length).toBe(body.length)
    expect(isHit(await two.get('/'))).toBe(true)
  })

  it('behind leaders that are aborted, one after another', async () => {
    let runs = 0
    const gate = deferred()
    const [one, two] = await pair((app, cache) => {
      app.use(cache.http())
      app.use((_req, res) => {
        if (++runs === 1) return
        res.send(`run ${runs}`)
      })
    })
    const leader = request({ port: one.port, path: '/', headers: { host: 'site.example' }, agent: false })
    leader.on('error', () => {})
    leader.end()
    await until(() => runs === 1)
    const waiting = [one.get('/'), one.get('/'), two.get('/')]
    await new Promise((resolve) => setTimeout(resolve, 50))
    leader.destroy()
    for (const answer of await atOnce(Promise.all(waiting))) expect(answer.status).toBe(200)
    gate.resolve()
  })
})
