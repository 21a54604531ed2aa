import { EventEmitter } from 'node:events'
import { compose, InvalidOption, MemoryStoreRefused, prefetch } from '@scale/core'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import type { Request, RequestHandler } from 'express'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  type DecisionMessage,
  decisionChannel,
  type RateLimitOptions,
  type RateLimitStoreErrorMessage,
  rateLimit,
  storeErrorChannel,
  user,
} from '../src/index.js'
import { expresses, type RunningApp, runApp } from './app.js'

let server: RedisServer
let redis: ReturnType<typeof createRedis>
/** As another process has it. */
let copy: ReturnType<typeof createRedis>
let app: RunningApp | undefined
let count = 0

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url)
  copy = createRedis(server.url)
  await Promise.all([whenReady(redis, 5_000), whenReady(copy, 5_000)])
})
afterAll(async () => {
  redis.disconnect()
  copy.disconnect()
  await server.stop()
})
afterEach(async () => {
  await app?.close()
  app = undefined
})

const perMinute = { name: 'burst', quota: 10, windowMs: 60_000 }

function shared(options: Partial<RateLimitOptions<Request>> = {}): RateLimitOptions<Request> {
  return { redis, policies: [perMinute], prefix: `test:${++count}`, ...options }
}

const named = (header: string) => (req: Request) => {
  const name = req.get(header)
  return name === undefined ? undefined : user(name)
}

function inProcess(options: Partial<RateLimitOptions<Request>> = {}): RateLimitOptions<Request> {
  return { policies: [perMinute], prefix: `test:${++count}`, ...options }
}

/** One whose client has left. */
function fakeResponse(): object {
  return { closed: true, headersSent: true, writeHead() {}, setHeader() {} }
}

describe.each(expresses)('rateLimit on %s', (_, make) => {
  it('refuses the eleventh request of a minute, over two copies', async () => {
    const options = shared()
    app = await runApp(make, [rateLimit(options)])
    const other = await runApp(make, [rateLimit({ ...options, redis: copy })])
    try {
      for (let request = 1; request <= 10; request++) {
        const response = await (request % 2 ? app : other).get()
        expect(response.status).toBe(200)
        expect(response.headers.get('ratelimit')).toMatch(
          new RegExp(`^"burst";r=${10 - request};t=(?:60|59)$`),
        )
        expect(response.headers.get('ratelimit-policy')).toBe('"burst";q=10;w=60')
        expect(response.headers.has('retry-after')).toBe(false)
      }
      const refused = await other.get()
      expect(refused.status).toBe(429)
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(59)
      expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(66)
      expect(refused.headers.get('ratelimit')).toMatch(/^"burst";r=0;t=(?:60|59)$/)
      expect(await refused.json()).toEqual({
        code: 'ERR_SCALE_RATE_LIMITED',
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        message: 'Too many requests: the quota is spent.',
        'violated-policies': ['burst'],
      })
    } finally {
      await other.close()
    }
  })

  it('checks several policies together, and charges none if one refuses', async () => {
    const limiter = rateLimit(
      shared({
        policies: [
          { name: 'minute', quota: 2, windowMs: 60_000 },
          { name: 'day', quota: 100, windowMs: 86_400_000 },
        ],
      }),
    )
    app = await runApp(make, [limiter])
    await app.get()
    await app.get()
    const refused = await app.get()
    expect(await refused.json()).toMatchObject({ 'violated-policies': ['minute'] })
    expect(refused.headers.get('ratelimit')).toMatch(/^"minute";r=0;t=\d+, "day";r=98;t=\d+$/)
    expect(refused.headers.get('ratelimit-policy')).toBe('"minute";q=2;w=60, "day";q=100;w=86400')
  })

  it('counts each partition by itself, and who has none by address', async () => {
    const limiter = rateLimit(
      shared({
        policies: [{ ...perMinute, quota: 1 }],
        partitionKey: named('x-user'),
      }),
    )
    app = await runApp(make, [limiter])
    const status = async (headers: Record<string, string>) => (await app!.get('/', headers)).status
    expect(await status({ 'x-user': 'a' })).toBe(200)
    expect(await status({ 'x-user': 'b' })).toBe(200)
    expect(await status({ 'x-user': 'a' })).toBe(429)
    expect(await status({ 'x-forwarded-for': '203.0.113.1' })).toBe(200)
    expect(await status({ 'x-forwarded-for': '203.0.113.2' })).toBe(200)
    expect(await status({ 'x-forwarded-for': '203.0.113.1' })).toBe(429)
    expect(await status({ 'x-user': 'ip:203.0.113.3' })).toBe(200)
    expect(await status({ 'x-forwarded-for': '203.0.113.3' })).toBe(200)
  })

  it('gives back what a request did not cost', async () => {
    const limiter = rateLimit(
      shared({
        partitionKey: () => user('login'),
        policies: [
          { name: 'account', quota: 2, windowMs: 60_000, partitionKey: named('x-account') },
          { name: 'address', quota: 3, windowMs: 60_000 },
        ],
        settle: (_req, res) => (res.statusCode === 401 ? 1 : 0),
      }),
    )
    app = await runApp(make, [limiter], (req, res) => {
      res.status(req.get('x-password') === 'right' ? 200 : 401).json({})
    })
    const left = async (account: string): Promise<number[]> => {
      const { policies } = await limiter.peek({ account: user(account), address: user('login') })
      return policies.map(({ remaining }) => remaining)
    }
    const logIn = async (account: string, password: string): Promise<number> =>
      (await app!.get('/', { 'x-account': account, 'x-password': password })).status

    expect(await logIn('a', 'right')).toBe(200)
    await vi.waitFor(async () => expect(await left('a')).toEqual([2, 3]))
    expect(await logIn('a', 'wrong')).toBe(401)
    expect(await logIn('a', 'wrong')).toBe(401)
    expect(await logIn('a', 'right')).toBe(429)
    expect(await logIn('b', 'wrong')).toBe(401)
    expect(await logIn('c', 'wrong')).toBe(429)
    expect(await left('c')).toEqual([2, 0])
  })

  it('says nothing on a response that a cache may keep', async () => {
    const limiter = rateLimit(shared())
    app = await runApp(make, [limiter], (req, res) => {
      if (req.path === '/head') return void res.writeHead(200, { 'Cache-Control': 'max-age=5' }).end()
      if (req.path === '/kept') res.set('Cache-Control', 'public, max-age=60')
      if (req.path === '/zero') res.set('Cache-Control', 'no-cache, max-age=0')
      res.json({})
    })
    const hasQuota = async (path: string) => (await app!.get(path)).headers.has('ratelimit')
    expect(await hasQuota('/kept')).toBe(false)
    expect(await hasQuota('/head')).toBe(false)
    expect(await hasQuota('/zero')).toBe(true)
    expect(await hasQuota('/plain')).toBe(true)
  })

  it('says it once, though the head fails at the first attempt', async () => {
    app = await runApp(make, [rateLimit(shared())], (_req, res) => {
      expect(() => res.writeHead(99)).toThrow(RangeError)
      res.json({})
    })
    const { headers } = await app.get()
    expect(headers.get('ratelimit')).toBe('"burst";r=9;t=60')
    expect(headers.get('ratelimit-policy')).toBe('"burst";q=10;w=60')
  })

  it('lists the policies of two limiters in one field', async () => {
    const options = shared()
    const limiters = ['one', 'two'].map((name) =>
      rateLimit({ ...options, name, policies: [{ ...perMinute, name }] }),
    )
    app = await runApp(make, limiters)
    const { headers } = await app.get()
    expect(headers.get('ratelimit-policy')).toBe('"one";q=10;w=60, "two";q=10;w=60')
  })
})

describe('rateLimit', () => {
  const [[, make]] = expresses as [(typeof expresses)[0]]

  it('moves with a quota that is a function of the request', async () => {
    const limiter = rateLimit(
      shared({ policies: [{ ...perMinute, quota: (req) => (req?.get('x-plan') === 'pro' ? 3 : 1) }] }),
    )
    app = await runApp(make, [limiter])
    expect((await app.get()).status).toBe(200)
    expect((await app.get()).status).toBe(429)
    const raised = await app.get('/', { 'x-plan': 'pro' })
    expect(raised.status).toBe(200)
    expect(raised.headers.get('ratelimit')).toMatch(/^"burst";r=1;/)
  })

  it('charges the cost of a request, and refuses what is above the quota without Retry-After', async () => {
    const limiter = rateLimit(shared({ cost: (req) => Number(req.get('x-cost')) }))
    app = await runApp(make, [limiter])
    expect((await app.get('/', { 'x-cost': '4' })).headers.get('ratelimit')).toMatch(/r=6/)
    const never = await app.get('/', { 'x-cost': '11' })
    expect(never.status).toBe(429)
    expect(never.headers.has('retry-after')).toBe(false)
    expect((await app.get('/', { 'x-cost': 'x' })).status).toBe(500)
  })

  it('skips, and in shadow only watches', async () => {
    const seen: DecisionMessage[] = []
    const stop = decisionChannel.subscribe((message) => seen.push(message))
    try {
      const limiter = rateLimit(
        shared({
          name: 'watch',
          policies: [{ ...perMinute, quota: 1 }],
          shadow: true,
          skip: (req) => req.path === '/probe',
        }),
      )
      app = await runApp(make, [limiter])
      for (const path of ['/', '/', '/probe']) {
        const response = await app.get(path)
        expect(response.status).toBe(200)
        expect(response.headers.has('ratelimit')).toBe(false)
      }
      expect(seen.map(({ limiter, refused, shadow }) => [limiter, refused, shadow])).toEqual([
        ['watch', false, true],
        ['watch', true, true],
      ])
      expect(seen.every(({ durationMs }) => durationMs >= 0 && durationMs < 30_000)).toBe(true)
    } finally {
      stop()
    }
  })

  it('offers the older headers', async () => {
    app = await runApp(make, [rateLimit(shared({ headers: ['draft-7', 'legacy'] }))])
    const { headers } = await app.get()
    expect(headers.get('ratelimit')).toMatch(/^limit=10, remaining=9, reset=\d+$/)
    expect(headers.get('x-ratelimit-remaining')).toBe('9')
    await app.close()
    app = await runApp(make, [rateLimit(shared({ headers: false }))])
    expect((await app.get()).headers.has('ratelimit')).toBe(false)
  })

  it('asks early in compose, once, and only if it knows all there is to know', async () => {
    const limiter = rateLimit(shared())
    expect(limiter[prefetch]).toBeTypeOf('function')
    expect(rateLimit(shared({ partitionKey: named('x') }))[prefetch]).toBeUndefined()
    expect(rateLimit(shared({ early: true, skip: () => false }))[prefetch]).toBeTypeOf('function')
    app = await runApp(make, [compose(limiter)])
    expect((await app.get()).headers.get('ratelimit')).toMatch(/r=9/)
    expect((await app.get()).headers.get('ratelimit')).toMatch(/r=8/)
  })

  it('leaves what is wrong with an early question to the middleware itself', async () => {
    const before: RequestHandler = (req, res, next) => {
      if (req.path === '/early') res.send('')
      else next()
    }
    for (const wrong of [{ partitionKey: () => 5 as never }, { skip: () => 1 }] as object[]) {
      const limiter = rateLimit(shared({ early: true, ...wrong }))
      app = await runApp(make, [compose(before, limiter)])
      expect((await app.get('/early')).status).toBe(200)
      expect((await app.get('/')).status).toBe(500)
      await app.close()
    }
  })

  it('works without a request', async () => {
    const limiter = rateLimit(shared({ settle: true }))
    const decision = await limiter.consume(user('job'), 4)
    expect(decision).toMatchObject({
      allowed: true,
      source: 'redis',
      retryAfterMs: 0,
      policies: [{ policy: 'burst', limit: 10, remaining: 6, violated: false }],
    })
    await limiter.settle(decision, 1)
    await limiter.settle(decision, 1)
    expect((await limiter.peek(user('job'))).policies[0]!.remaining).toBe(9)
    await limiter.penalize(user('job'), { blockMs: 120_000 })
    expect((await limiter.consume(user('job'))).retryAfterMs).toBeGreaterThan(119_000)
    await limiter.reset(user('job'))
    expect((await limiter.consume(user('job'))).allowed).toBe(true)
  })

  it('refuses what it cannot mean', async () => {
    const limiter = rateLimit(shared())
    await expect(limiter.consume({ brust: user('a') })).rejects.toThrow(/no policy `brust`/)
    await expect(limiter.consume({ burst: undefined as never })).rejects.toThrow(/under `burst` is undefined/)
    await expect(limiter.consume({})).rejects.toThrow(/names no policy/)
    expect((await limiter.consume({ burst: false })).policies).toEqual([])
    await expect(limiter.consume(user('a'), 0.5)).rejects.toThrow(/cost must be an integer/)
    await expect(limiter.penalize(user('a'), { blockMs: -1 })).rejects.toThrow(/`blockMs` must be/)
    await expect(limiter.penalize(user('a'), undefined as never)).rejects.toThrow(/`blockMs` must be/)
    await expect(limiter.reset(undefined as never)).rejects.toThrow(/must be said by `address`/)
  })

  it.each([42, undefined, null, 'ann', {}, [], [undefined], ['user', 'ann'], Promise.resolve('a')])(
    'lets nobody pass uncounted because %j is no partition',
    async (partition) => {
      for (const options of [shared(), inProcess()]) {
        const limiter = rateLimit(options)
        const isPromise = partition instanceof Promise
        await expect(limiter.consume((isPromise ? [partition] : partition) as never)).rejects.toThrow(
          InvalidOption,
        )
        const chosen = rateLimit({ ...options, name: 'chosen', partitionKey: () => partition as never })
        const answer = await new Promise((resolve) => {
          chosen({ headers: {}, socket: {}, ip: '192.0.2.1' } as Request, fakeResponse() as never, resolve)
        })
        // Without a name it is the address that is counted.
        if (partition === undefined || partition === null) expect(answer).toBeUndefined()
        else expect(answer).toMatchObject({ message: expect.stringMatching(/must be said by `address`/) })
      }
    },
  )

  it.each([Number.NaN, 1.5, -1, 2 ** 53, '1', undefined])('settles no cost of %j', async (cost) => {
    for (const options of [shared({ settle: true }), inProcess({ settle: true })]) {
      const limiter = rateLimit(options)
      const decision = await limiter.consume(user('job'), 4)
      await expect(limiter.settle(decision, cost as number)).rejects.toThrow(/cost must be an integer/)
      expect((await limiter.peek(user('job'))).policies[0]!.remaining).toBe(6)
    }
  })

  it('reports a cost that is none, and leaves what was taken', async () => {
    const seen: RateLimitStoreErrorMessage[] = []
    const unsubscribe = storeErrorChannel.subscribe((message) => seen.push(message))
    try {
      const limiter = rateLimit(shared({ partitionKey: () => user('odd'), settle: () => Number.NaN }))
      const response = Object.assign(new EventEmitter(), fakeResponse())
      await new Promise((resolve) => {
        limiter({ headers: {}, socket: {} } as Request, response as never, resolve)
      })
      response.emit('finish')
      await vi.waitFor(() =>
        expect(seen).toMatchObject([{ operation: 'settle', error: expect.any(InvalidOption) }]),
      )
      expect((await limiter.peek(user('odd'))).policies[0]!.remaining).toBe(9)
    } finally {
      unsubscribe()
    }
  })

  it('gives nothing back to a client that has left, and what the answer says once it is sent', async () => {
    const limiter = rateLimit(shared({ partitionKey: () => user('gone'), settle: () => 0 }))
    const ask = async (): Promise<EventEmitter> => {
      const response = Object.assign(new EventEmitter(), fakeResponse())
      await new Promise((resolve) => {
        limiter({ headers: {}, socket: {} } as Request, response as never, resolve)
      })
      return response
    }
    ;(await ask()).emit('close')
    const sent = await ask()
    expect((await limiter.peek(user('gone'))).policies[0]!.remaining).toBe(8)
    sent.emit('finish')
    await vi.waitFor(async () => expect((await limiter.peek(user('gone'))).policies[0]!.remaining).toBe(9))
  })

  it('keeps one partition in one slot, and a client from choosing it', async () => {
    const options = shared({
      partitionKey: named('x-user'),
      onStoreError: 'closed',
      policies: [perMinute, { ...perMinute, name: 'b' }],
    })
    app = await runApp(make, [rateLimit(options)])
    await app.get('/', { 'x-user': 'a}{b' })
    const keys = (await redis.call('scan', ['0', 'match', `${options.prefix}:*`, 'count', '1000'])) as [
      string,
      string[],
    ]
    expect(keys[1].sort()).toEqual([
      `${options.prefix}:rate-limit:1:{user:a%7d%7bb}:default:b:fixed:60000`,
      `${options.prefix}:rate-limit:1:{user:a%7d%7bb}:default:burst:fixed:60000`,
    ])
  })

  it('keeps all of a limiter in one slot where its policies count different partitions', async () => {
    const options = shared({
      name: 'login',
      onStoreError: 'closed',
      policies: [perMinute, { ...perMinute, name: 'account', partitionKey: () => user('account') }],
    })
    await rateLimit(options).consume({ burst: user('a}{b'), account: user('ann') })
    const [, keys] = (await redis.call('scan', ['0', 'match', `${options.prefix}:*`, 'count', '1000'])) as [
      string,
      string[],
    ]
    expect(keys.sort()).toEqual([
      `${options.prefix}:rate-limit:1:{login}:login:account:fixed:60000:user:ann`,
      `${options.prefix}:rate-limit:1:{login}:login:burst:fixed:60000:user:a%7d%7bb`,
    ])
  })

  it.each([
    [{ policies: [] }, /`policies` must be an array of at least 1/],
    [{ policies: [perMinute, perMinute] }, /two policies are named `burst`/],
    [{ policies: [{ ...perMinute, max: 3 }] }, /unknown option `max`/],
    [{ policies: [{ ...perMinute, name: 'ümlaut' }] }, /`name` must be 1 to 64 printable ASCII/],
    [{ policies: [{ ...perMinute, windowMs: 0.5 }] }, /`windowMs` must be a whole number/],
    [{ policies: [{ ...perMinute, algorithm: 'token-bucket', quota: 2 ** 50 }] }, /cannot count so much/],
    [{ prefix: 'a{b' }, /`prefix`/],
    [{ headers: 'draft-99' }, /`headers`/],
    [{ windowMs: 1 }, /unknown option `windowMs`/],
  ])('refuses %j', (wrong, message) => {
    const options = shared(wrong as Partial<RateLimitOptions<Request>>)
    expect(() => rateLimit(options)).toThrow(InvalidOption)
    expect(() => rateLimit(options)).toThrow(message)
  })

  it('refuses to keep quotas in one process of production', () => {
    vi.stubEnv('NODE_ENV', 'production')
    try {
      expect(() => rateLimit({ policies: [perMinute] })).toThrow(MemoryStoreRefused)
      expect(() => rateLimit({ policies: [perMinute], allowMemoryStore: true })).not.toThrow()
    } finally {
      vi.unstubAllEnvs()
    }
  })
})

describe('while Redis is away', () => {
  const [[, make]] = expresses as [(typeof expresses)[0]]
  let gone: ReturnType<typeof createRedis>

  beforeAll(() => {
    gone = createRedis('redis://127.0.0.1:1')
  })
  afterAll(() => gone.disconnect())

  it('counts in this process by default', async () => {
    const errors: RateLimitStoreErrorMessage[] = []
    const stop = storeErrorChannel.subscribe((message) => errors.push(message))
    try {
      app = await runApp(make, [rateLimit(shared({ redis: gone, policies: [{ ...perMinute, quota: 1 }] }))])
      expect((await app.get()).status).toBe(200)
      expect((await app.get()).status).toBe(429)
      expect(errors).toMatchObject([
        { operation: 'consume', onStoreError: 'local', error: { reason: 'not-ready' } },
        { operation: 'consume' },
      ])
    } finally {
      stop()
    }
  })

  it('lets everything pass if told to be open', async () => {
    app = await runApp(make, [
      rateLimit(shared({ redis: gone, onStoreError: 'open', policies: [{ ...perMinute, quota: 0 }] })),
    ])
    const response = await app.get()
    expect(response.status).toBe(200)
    expect(response.headers.has('ratelimit')).toBe(false)
  })

  it('answers 503 if told to be closed', async () => {
    app = await runApp(make, [rateLimit(shared({ redis: gone, onStoreError: 'closed' }))])
    const response = await app.get()
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await response.json()).toMatchObject({ code: 'ERR_SCALE_RATE_LIMIT_STORE_UNAVAILABLE' })
  })
})
