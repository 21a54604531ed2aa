import { storeGuard } from '@scale/redis'
import { RedisStore as ConnectRedis } from 'connect-redis'
import express, { type RequestHandler } from 'express'
// @ts-expect-error its types declare `req.session`, as ours do
import expressSession from 'express-session'
import { createClient } from 'redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { StoredSession } from '../../src/express-session/base-store.js'
import { RedisStore, type RedisStoreOptions } from '../../src/express-session/index.js'
import { adaptNodeRedis, type NodeRedisClient } from '../../src/express-session/node-redis.js'
import { listen, type RunningApp } from '../app.js'
import { useRedis } from '../redis.js'

interface AppSession {
  cookie: { maxAge: number | null }
  user?: string
  n?: number
  [key: string]: unknown
  regenerate(done: (error?: unknown) => void): void
  reload(done: (error?: unknown) => void): void
  destroy(done: (error?: unknown) => void): void
  save(done: (error?: unknown) => void): void
}

const redis = useRedis()
const SECRET = 'a secret of at least thirty-two characters'
type NodeRedis = ReturnType<typeof createClient>
let nodeRedis: NodeRedis

beforeAll(async () => {
  nodeRedis = createClient({ url: redis.server.url }) as NodeRedis
  await nodeRedis.connect()
  // A machine that runs many suites at once is slower than a deadline of 100 ms allows.
  storeGuard(adaptNodeRedis(nodeRedis as unknown as NodeRedisClient), { deadlineMs: 2_000 })
})
afterAll(async () => {
  await nodeRedis?.close()
})
beforeEach(async () => {
  await redis.client.flushall()
})

const clients: [name: string, client: () => RedisStoreOptions['client']][] = [
  ['ioredis', () => redis.client],
  ['node-redis', () => nodeRedis as unknown as RedisStoreOptions['client']],
]

function sample(data: Record<string, unknown> = {}): StoredSession {
  return { cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }, ...data }
}

describe.each(clients)('the store contract of express-session with %s', (_name, client) => {
  const make = (options: Partial<RedisStoreOptions> = {}) => new RedisStore({ client: client(), ...options })

  it('get, set, destroy by promise and by callback', async () => {
    const store = make()
    expect(await store.get('none')).toBeNull()
    await store.set('s1', sample({ user: 'ann', deep: { a: [1] } }))
    expect(await store.get('s1')).toEqual(sample({ user: 'ann', deep: { a: [1] } }))
    const session = await new Promise<unknown>((resolve, reject) => {
      void store.get('s1', (error, found) => (error ? reject(error) : resolve(found)))
    })
    expect(session).toEqual(sample({ user: 'ann', deep: { a: [1] } }))
    await store.set('s1', sample({ user: 'bob' }))
    expect(await store.get('s1')).toEqual(sample({ user: 'bob' }))
    await new Promise<void>((resolve, reject) => {
      void store.destroy('s1', (error) => (error ? reject(error) : resolve()))
    })
    expect(await store.get('s1')).toBeNull()
    await store.destroy('s1')
  })
  it('all, length, clear', async () => {
    const store = make()
    for (let i = 0; i < 20; i++) await store.set(`s${i}`, sample({ i }))
    expect(await store.length()).toBe(20)
    expect((await store.all()).map(({ i }) => Number(i)).sort((a, b) => a - b)).toEqual([...Array(20).keys()])
    await store.clear()
    expect([await store.length(), await store.all(), await store.get('s1')]).toEqual([0, [], null])
  })
  it('touch and ttl', async () => {
    const store = make({ ttl: 100 })
    await store.set('s1', sample())
    await store.touch('s1', { cookie: { originalMaxAge: 500_000, expires: new Date(Date.now() + 500_000) } })
    const [key] = await redis.client.keys('*:session:*:session:*')
    expect(await redis.client.pttl(key!)).toBeGreaterThan(400_000)
    expect((await store.get('s1'))?.cookie.expires).toBeNull()
    await store.set('s1', { cookie: { originalMaxAge: -1, expires: new Date(Date.now() - 1) } })
    expect(await store.get('s1')).toBeNull()
    await store.touch('gone', sample())
    expect(await store.get('gone')).toBeNull()
    // That its end is no date is told by express-session, where it sets the cookie.
    await store.set('s2', { cookie: { originalMaxAge: Number.NaN, expires: new Date(Number.NaN) }, n: 1 })
    expect(await store.get('s2')).toMatchObject({ n: 1 })
  })
  it('keeps no id in Redis', async () => {
    await make().set('the-session-id', sample({ user: 'ann' }))
    const keys = await redis.client.keys('*')
    const values = await Promise.all(
      keys.map(async (key) => (await redis.client.type(key)) === 'hash' && redis.client.hgetall(key)),
    )
    expect(JSON.stringify([keys, values])).not.toContain('the-session-id')
  })
})

it('has what apps read of the store of connect-redis', async () => {
  const client = redis.client
  const store = new RedisStore({ client, prefix: 'mine:', ttl: 60 })
  expect([store.client, store.prefix, store.ttl]).toEqual([client, 'mine:', 60])
  await store.set('s1', sample())
  await store.set('s2', sample())
  const ids = await store.ids()
  expect(new Set(ids).size).toBe(2)
  expect((await store.all()).map(({ id }) => id).sort()).toEqual(ids.sort())
})

it('keeps to express-session where a session is gone, or was never one', async () => {
  const store = new RedisStore({ client: redis.client })
  const app = await start(store, { resave: true })
  const visitor = { cookie: cookieIn(await app.send('POST', '/set/n?n=7')) }
  // Written anew by `resave` after it was destroyed: no error, and no session.
  const slow = app.send('GET', '/slow', visitor)
  await expect.poll(async () => (await app.send('GET', '/', visitor)).body).toEqual({ n: 7 })
  await store.clear()
  expect((await slow).status).toBe(200)
  expect((await app.send('GET', '/', visitor)).body).toEqual({})
  await store.set('no-cookie', { foo: 'bar' })
  expect(await store.get('no-cookie')).toEqual({ foo: 'bar' })
  await app.close()
})

it('refuses options of connect-redis that it cannot keep', () => {
  // @ts-expect-error not an option
  expect(() => new RedisStore({ client: redis.client, serializer: JSON })).toThrow(/serializer/)
  expect(() => new RedisStore({ client: {} as never })).toThrow(/client/)
})

/** An app as one writes it for express-session; only the store differs. */
async function start(store: unknown, options: object = {}): Promise<RunningApp> {
  const app = express()
  const sessions = expressSession({
    store,
    secret: SECRET,
    resave: false,
    saveUninitialized: false,
    ...options,
  })
  app.use(sessions as RequestHandler)
  const sessionOf = (req: express.Request) => req.session as unknown as AppSession
  app.get('/', (req, res) => {
    const { cookie: _, ...rest } = sessionOf(req)
    res.json(rest)
  })
  app.get('/slow', (_req, res) => void setTimeout(() => res.json({}), 300))
  app.post('/set/:key', (req, res) => {
    sessionOf(req)[req.params.key] = Number(req.query.n ?? 1)
    setTimeout(() => res.json({}), Number(req.query.ms ?? 0))
  })
  app.post('/login', (req, res, next) => {
    sessionOf(req).regenerate((error) => {
      if (error) return next(error)
      sessionOf(req).user = 'ann'
      sessionOf(req).save((failure) => (failure ? next(failure) : res.json({})))
    })
  })
  app.post('/reload', (req, res, next) => {
    sessionOf(req).n = -1
    sessionOf(req).reload((error) => (error ? next(error) : res.json({ n: sessionOf(req).n })))
  })
  app.post('/logout', (req, res, next) => {
    sessionOf(req).destroy((error) => (error ? next(error) : res.json({})))
  })
  return listen(app)
}

const cookieIn = ({ cookies }: { cookies: string[] }): string => cookies[0]?.split(';')[0] ?? ''

describe.each(clients)('an app of express-session with %s', (_name, client) => {
  it('runs unchanged: regenerate, save, reload, rolling, destroy', async () => {
    const app = await start(new RedisStore({ client: client() }), {
      rolling: true,
      cookie: { maxAge: 60_000 },
    })
    const visit = await app.send('POST', '/set/n?n=7')
    const visitor = { cookie: cookieIn(visit) }
    expect((await app.send('GET', '/', visitor)).body).toEqual({ n: 7 })
    expect((await app.send('POST', '/reload', visitor)).body).toEqual({ n: 7 })
    const login = await app.send('POST', '/login', visitor)
    const user = { cookie: cookieIn(login) }
    expect(user.cookie).not.toBe(visitor.cookie)
    expect((await app.send('GET', '/', visitor)).body).toEqual({})
    const first = await app.send('GET', '/', user)
    expect(first.body).toEqual({ user: 'ann' })
    expect(first.cookies[0]).toMatch(/Expires=/)
    await app.send('POST', '/logout', user)
    expect((await app.send('GET', '/', user)).body).toEqual({})
    await app.close()
  })
  it('loses no key of parallel requests, and revives nothing', async () => {
    const app = await start(new RedisStore({ client: client() }))
    const user = { cookie: cookieIn(await app.send('POST', '/login')) }
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
    await Promise.all(keys.map((key) => app.send('POST', `/set/${key}?ms=20`, user)))
    expect(Object.keys((await app.send('GET', '/', user)).body as object).sort()).toEqual(
      [...keys, 'user'].sort(),
    )
    const slow = app.send('POST', '/set/late?ms=200', user).catch(() => undefined)
    // The slow request has read the session once its reply to the store is counted: ask by the same way after it.
    await app.send('GET', '/', user)
    await app.send('POST', '/logout', user)
    await slow
    expect((await app.send('GET', '/', user)).body).toEqual({})
    await app.close()
  })
})

it('takes over the sessions of connect-redis in one line, each once', async () => {
  const before = await start(new ConnectRedis({ client: nodeRedis }))
  const visit = { cookie: cookieIn(await before.send('POST', '/set/n?n=7')) }
  const other = { cookie: cookieIn(await before.send('POST', '/login')) }
  await before.close()
  expect((await redis.client.keys('sess:*')).length).toBe(2)
  const after = await start(new RedisStore({ client: nodeRedis as unknown as RedisStoreOptions['client'] }))
  const answers = await Promise.all(Array.from({ length: 10 }, () => after.send('GET', '/', visit)))
  expect(answers.map(({ body }) => body)).toEqual(Array(10).fill({ n: 7 }))
  await after.send('POST', '/set/m?n=8', visit)
  expect((await after.send('GET', '/', visit)).body).toEqual({ n: 7, m: 8 })
  await after.send('POST', '/logout', other)
  expect((await after.send('GET', '/', other)).body).toEqual({})
  expect((await redis.client.keys('sess:*')).filter((key) => !key.startsWith('sess:session:1:'))).toEqual([])
  await after.close()
})
