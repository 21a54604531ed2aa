import { createRedis, whenReady } from '@scale/redis'
import { RedisStore as ConnectRedis } from 'connect-redis'
import express, { type Express, type RequestHandler, type Response } from 'express'
// @ts-expect-error its types declare `req.session`, as ours do
import expressSession from 'express-session'
import fc from 'fast-check'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bearer,
  type ConnectRedisOptions,
  connectRedis,
  type SessionOptions,
  type Sessions,
  session,
} from '../src/index.js'
import { type Answer, listen, type RunningApp } from './app.js'
import { startCountingProxy } from './counting-proxy.js'
import { useRedis } from './redis.js'

// A rolling deploy of the migration itself: copies with express-session and connect-redis, copies that share their
// sessions, and copies that take them over, on one Redis.

const SECRET = 'a secret of at least thirty-two characters'
const redis = useRedis()
let nodeRedis: ReturnType<typeof createClient>
/** As the app was, as it is during the deploy, and as it is after it. */
let apps: { old: RunningApp; shared: RunningApp; after: RunningApp }
let sessions: Sessions<Record<string, unknown>>
type Kind = keyof typeof apps
/** Lives that are tried; the soak tries more. */
const RUNS = Number(process.env.SESSION_MODEL_RUNS ?? 6)

interface Visit {
  user?: string
  cart?: string[]
}

const migration = (): ConnectRedisOptions => ({
  redis: redis.client,
  secrets: SECRET,
  userIdOf: ({ user }) => user as string | undefined,
})
const shared: NonNullable<ConnectRedisOptions['shared']> = {
  withUserId: (data, user) => ({ ...data, user }),
  cookie: { secure: false },
}

beforeAll(async () => {
  nodeRedis = createClient({ url: redis.server.url }) as typeof nodeRedis
  await nodeRedis.connect()
  sessions = made({ migrateFrom: connectRedis({ ...migration(), shared }) })
  apps = {
    old: await listen(oldApp()),
    shared: await listen(newApp(sessions)),
    after: await listen(newApp(made({ migrateFrom: connectRedis(migration()) }))),
  }
})
afterAll(async () => {
  for (const app of Object.values(apps ?? {})) await app.close()
  await nodeRedis?.close()
})

function made(options: SessionOptions): Sessions<Record<string, unknown>> {
  return session<Record<string, unknown>>({ redis: redis.client, ...options } as SessionOptions<
    Record<string, unknown>
  >)
}

/** As apps with express-session are written. */
function oldApp(): Express {
  const app = express()
  const store = new ConnectRedis({ client: nodeRedis })
  app.use(
    expressSession({ store, secret: SECRET, resave: false, saveUninitialized: false }) as RequestHandler,
  )
  const of = (req: { session: unknown }) =>
    req.session as Visit & {
      regenerate(done: () => void): void
      destroy(done: () => void): void
      cookie: { maxAge: number }
    }
  app.post('/login/:user', (req, res) => {
    const { cart, user } = of(req)
    of(req).regenerate(() => {
      const keeps = user === undefined || user === req.params.user
      Object.assign(req.session, { user: req.params.user }, keeps && cart && { cart })
      if (req.query.keep) of(req).cookie.maxAge = 3_600_000
      res.json({})
    })
  })
  app.post('/logout', (req, res) => {
    of(req).destroy(() => void res.json({}))
  })
  return withPages(app, (req) => of(req as never))
}

function newApp(sessions: Sessions<Record<string, unknown>>): Express {
  const app = express()
  app.use(sessions)
  app.post('/login/:user', async (req, res) => {
    await req.session.login(
      req.params.user,
      req.query.keep ? { persistent: true, idleTimeoutMs: 3_600_000 } : {},
    )
    res.json({})
  })
  app.post('/elevate', async (req, res) => {
    await req.session.elevate()
    res.json({})
  })
  app.post('/logout', async (req, res) => {
    await req.session.destroy()
    res.json({})
  })
  return withPages(
    app,
    (req) => sessions.get(req as never).data,
    (req) => sessions.get(req as never).userId,
  )
}

function withPages(
  app: Express,
  visitOf: (req: object) => Visit,
  userOf: (req: object) => string | undefined = (req) => visitOf(req).user,
): Express {
  const page = (req: object, res: Response): void => {
    const user = userOf(req)
    res.status(user === undefined ? 401 : 200).json({ user: user ?? null, cart: visitOf(req).cart ?? [] })
  }
  app.get('/me', page)
  app.post('/cart/:item', (req, res) => {
    const visit = visitOf(req)
    visit.cart = [...(visit.cart ?? []), req.params.item]
    page(req, res)
  })
  return app
}

/** A browser with its cookies. */
class Browser {
  readonly cookies = new Map<string, string>()

  async send(kind: Kind, method: string, path: string): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await apps[kind].send(method, path, cookie === '' ? {} : { cookie })
    for (const text of answer.cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? []
      if (value === '' || /Max-Age=0/.test(text)) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }

  async me(kind: Kind): Promise<unknown> {
    const { status, body } = await this.send(kind, 'GET', '/me')
    return status === 401 ? { ...(body as object), user: 401 } : body
  }
}

const act = fc.record({
  copy: fc.nat(7),
  browser: fc.nat(1),
  does: fc.oneof(
    { weight: 4, arbitrary: fc.constant('me' as const) },
    { weight: 3, arbitrary: fc.constantFrom('/cart/tea', '/cart/jam') },
    { weight: 2, arbitrary: fc.constantFrom('/login/ann', '/login/bob') },
    { weight: 1, arbitrary: fc.constant('/logout') },
  ),
})

/** Random lives of two browsers; at each step any of the copies may be asked. */
async function live(...phases: readonly (readonly Kind[])[]): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(...phases.map(() => fc.array(act, { minLength: 4, maxLength: 12 }))),
      async (lives) => {
        const browsers = [new Browser(), new Browser()]
        const should: { user: string | undefined; cart: string[] }[] = browsers.map(() => ({
          user: undefined,
          cart: [],
        }))
        for (const [phase, acts] of lives.entries()) {
          for (const { copy, browser, does } of acts) {
            const kinds = phases[phase]!
            const kind = kinds[copy % kinds.length]!
            const visit = should[browser]!
            if (does !== 'me') await browsers[browser]!.send(kind, 'POST', does)
            if (does.startsWith('/cart/')) visit.cart.push(does.slice(6))
            else if (does === '/logout') should[browser] = { user: undefined, cart: [] }
            else if (does.startsWith('/login/')) {
              const user = does.slice(7)
              const keeps = visit.user === undefined || visit.user === user
              should[browser] = { user, cart: keeps ? visit.cart : [] }
            }
            const { user, cart } = should[browser]!
            for (const asked of kinds) {
              expect(await browsers[browser]!.me(asked), `${does} on ${kind}, asked ${asked}`).toEqual({
                user: user ?? 401,
                cart,
              })
            }
          }
        }
      },
    ),
    { numRuns: RUNS },
  )
}

describe('a rolling deploy', () => {
  it('forward: nobody notices which copy answers, and a logout on one holds on all', () =>
    live(['old'], ['old', 'shared'], ['shared']))

  it('back: the same, with all who logged in at a new copy', () =>
    live(['shared'], ['old', 'shared'], ['old']))

  it('to its end: copies that share and copies that take over', () =>
    live(['old', 'shared'], ['shared'], ['shared', 'after'], ['after']))

  it('back from there, as long as copies that share remain', () =>
    live(['shared'], ['shared', 'after'], ['shared'], ['shared', 'after']))
})

it('a session that is taken over keeps what both kinds of copies wrote, and nothing of what they note beside', async () => {
  const browser = new Browser()
  await browser.send('old', 'POST', '/login/cho')
  await browser.send('shared', 'POST', '/cart/tea')
  await browser.send('old', 'POST', '/cart/jam')
  expect(await browser.me('after')).toEqual({ user: 'cho', cart: ['tea', 'jam'] })
  const taken = await session({ redis: redis.client }).of('cho').list()
  expect(taken).toHaveLength(1)
  const key = (await redis.client.keys(`scale:session:1:*${taken[0]!.id}`))[0]!
  const names = (await redis.client.hkeys(key)).filter((name) => name.startsWith('.'))
  expect(names.sort()).toEqual(['.cart', '.user'])
})

it('a client that missed the cookie of a copy that takes over is known at a copy that shares', async () => {
  const browser = new Browser()
  await browser.send('old', 'POST', '/login/pia')
  const missed = new Browser()
  for (const [name, value] of browser.cookies) missed.cookies.set(name, value)
  expect(await browser.me('after')).toEqual({ user: 'pia', cart: [] })
  expect(await missed.me('shared')).toEqual({ user: 'pia', cart: [] })
})

it('requests at once at the copies that share lose nothing', async () => {
  const browser = new Browser()
  await browser.send('shared', 'POST', '/login/dan')
  const other = made({ migrateFrom: connectRedis({ ...migration(), shared }) })
  const app = await listen(
    express()
      .use(other)
      .post('/set/:key', (req, res) => {
        other.get(req).data[req.params.key] = 1
        res.json({})
      })
      .get('/all', (req, res) => void res.json(other.get(req).data)),
  )
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const keys = Array.from({ length: 20 }, (_, at) => `key${at}`)
  await Promise.all(keys.map((key) => app.send('POST', `/set/${key}`, { cookie })))
  const { body } = await app.send('GET', '/all', { cookie })
  expect(Object.keys(body as object).sort()).toEqual([...keys, 'user'].sort())
  await app.close()
})

it('a write at a copy that shares does not bring back what a logout at an old copy ended', async () => {
  const browser = new Browser()
  await browser.send('old', 'POST', '/login/eve')
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const app = await listen(
    express().post('/slow', sessions, async (req, res) => {
      sessions.get(req).data.late = true
      await apps.old.send('POST', '/logout', { cookie })
      res.json({})
    }),
  )
  expect((await app.send('POST', '/slow', { cookie })).status).toBeGreaterThanOrEqual(400)
  for (const kind of ['old', 'shared'] as const) expect(await browser.me(kind)).toMatchObject({ user: 401 })
  await app.close()
})

it('elevate() at a copy that shares: the old cookie is dead at all, the new one opens at all', async () => {
  const browser = new Browser()
  await browser.send('old', 'POST', '/login/fay')
  await browser.send('old', 'POST', '/cart/tea')
  const before = new Browser()
  for (const [name, value] of browser.cookies) before.cookies.set(name, value)
  expect((await browser.send('shared', 'POST', '/elevate')).status).toBe(200)
  for (const kind of ['old', 'shared'] as const) {
    expect(await browser.me(kind)).toEqual({ user: 'fay', cart: ['tea'] })
    expect(await before.me(kind)).toMatchObject({ user: 401 })
  }
})

it('lists and ends the sessions of a user that a new copy has seen, wherever they are', async () => {
  const browsers = [new Browser(), new Browser(), new Browser(), new Browser()]
  const [one, two, three, gone] = browsers as [Browser, Browser, Browser, Browser]
  await one.send('old', 'POST', '/login/gus')
  await two.send('shared', 'POST', '/login/gus')
  await three.send('after', 'POST', '/login/gus')
  await gone.send('old', 'POST', '/login/gus')
  for (const browser of browsers) expect(await browser.me('shared')).toMatchObject({ user: 'gus' })
  await gone.send('old', 'POST', '/logout')
  const list = await sessions.of('gus').list()
  expect(list).toHaveLength(3)
  expect(list.map(({ lastSeenAt }) => lastSeenAt)).toEqual(
    list.map(({ lastSeenAt }) => lastSeenAt).toSorted((a, b) => b - a),
  )
  // A public id is not what the cookie signs.
  expect(JSON.stringify(list)).not.toContain(decodeURIComponent(one.cookies.get('connect.sid')!).slice(2, 34))
  const others = list.slice(1).map(({ id }) => id)
  expect(await sessions.of('gus').revoke(others[0]!)).toBe(true)
  expect(await sessions.of('gus').list()).toHaveLength(2)
  expect(await sessions.of('gus').revokeAll()).toBe(2)
  for (const browser of [one, two]) {
    for (const kind of ['old', 'shared'] as const) {
      expect(await browser.me(kind)).toMatchObject({ user: 401 })
    }
  }
  expect(await three.me('after')).toMatchObject({ user: 401 })
})

it('a login that is remembered is so on both sides', async () => {
  for (const [from, to] of [
    ['old', 'shared'],
    ['shared', 'old'],
  ] as const) {
    const browser = new Browser()
    const { cookies } = await browser.send(from, 'POST', '/login/hal?keep=1')
    expect(cookies[0]).toMatch(/^connect\.sid=.*(?:Expires|Max-Age)/)
    await browser.send(to, 'POST', '/cart/tea')
    expect(await browser.me(from)).toEqual({ user: 'hal', cart: ['tea'] })
    const sid = decodeURIComponent(browser.cookies.get('connect.sid')!).slice(2).split('.')[0]
    const ttlMs = await redis.client.pttl(`sess:${sid}`)
    expect(ttlMs).toBeGreaterThan(3_000_000)
    expect(ttlMs).toBeLessThanOrEqual(3_600_000)
  }
})

it('a use at a copy that shares prolongs a session, and shortens none', async () => {
  const browser = new Browser()
  await browser.send('old', 'POST', '/login/ida')
  const sid = decodeURIComponent(browser.cookies.get('connect.sid')!).slice(2).split('.')[0]
  const key = `sess:${sid}`
  // express-session keeps it for a day, `session()` for half an hour.
  await browser.send('shared', 'POST', '/cart/tea')
  expect(await redis.client.pttl(key)).toBeGreaterThan(86_000_000)
  await redis.client.pexpire(key, 60_000)
  await browser.send('shared', 'GET', '/me')
  await expect.poll(() => redis.client.pttl(key)).toBeGreaterThan(1_700_000)
})

it('costs what the README says', async () => {
  const proxy = await startCountingProxy(redis.server.port)
  const client = createRedis(proxy.url) as ReturnType<typeof createRedis> & { disconnect(): void }
  await whenReady(client, 5_000)
  const one = made({ redis: client, migrateFrom: connectRedis({ ...migration(), redis: client, shared }) })
  const app = await listen(newApp(one))
  const browser = new Browser()
  const commandsOf = async (work: () => Promise<unknown>): Promise<string[]> => {
    proxy.take()
    await work()
    return proxy.take().commands
  }
  const send = (method: string, path: string) => async () => {
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    for (const text of (await app.send(method, path, { cookie })).cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? []
      browser.cookies.set(name, value)
    }
  }
  // The first time each script is sent with its text.
  await send('POST', '/login/warm')()
  await send('POST', '/login/liz')()
  await browser.send('old', 'POST', '/login/liz')
  expect(await commandsOf(send('GET', '/me'))).toEqual(['evalsha', 'sadd', 'pexpire'])
  expect(await commandsOf(send('GET', '/me'))).toEqual(['evalsha'])
  expect(await commandsOf(send('POST', '/cart/tea'))).toEqual(['evalsha', 'evalsha', 'evalsha'])
  browser.cookies.clear()
  expect(await commandsOf(send('POST', '/login/liz'))).toEqual(['evalsha', 'evalsha', 'sadd', 'pexpire'])
  await app.close()
  client.disconnect()
  await proxy.close()
})

it('cannot be had with what express-session would not keep', () => {
  const migrateFrom = connectRedis({ ...migration(), shared })
  for (const options of [
    { maxPerUser: { quota: 2, evict: 'oldest' } },
    { encryption: { keys: [{ id: 'a', key: Buffer.alloc(32, 1) }] } },
    { transport: [bearer()] },
  ] satisfies SessionOptions[]) {
    expect(() => made({ ...options, migrateFrom })).toThrow(/`shared`|cookie/)
  }
  expect(() => connectRedis({ ...migration(), shared: { withUserId: 1 } as never })).toThrow(/withUserId/)
})

it('says so if the user that it sets is not the user that it finds, or a key is express-session’s own', async () => {
  const wrong = made({
    migrateFrom: connectRedis({ ...migration(), shared: { ...shared, withUserId: (data) => data } }),
  })
  const app = await listen(
    express()
      .use(wrong)
      .post('/login', async (req, res) => {
        await req.session.login('kim')
        res.json({})
      })
      .post('/cookie', (req, res) => {
        wrong.get(req).data.cookie = 'mine'
        res.json({})
      }),
  )
  expect((await app.send('POST', '/login')).body).toMatchObject({
    code: 'ERR_SCALE_SESSION_MISUSE',
    message: expect.stringContaining('withUserId'),
  })
  expect((await app.send('POST', '/cookie')).body).toMatchObject({ code: 'ERR_SCALE_SESSION_DATA' })
  await app.close()
})
