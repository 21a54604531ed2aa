import { createHmac } from 'node:crypto'
import { compose } from '@scale/core'
import { RedisStore as ConnectRedis } from 'connect-redis'
import express, { type RequestHandler } from 'express'
// @ts-expect-error its types declare `req.session`, as ours do
import expressSession from 'express-session'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bearer, connectRedis, createdChannel, session } from '../src/index.js'
import { cookieOf, listen, type RunningApp } from './app.js'
import { useRedis } from './redis.js'

const SECRET = 'a secret of at least thirty-two characters'
const redis = useRedis()
let nodeRedis: ReturnType<typeof createClient>
let before: RunningApp
let after: RunningApp

beforeAll(async () => {
  nodeRedis = createClient({ url: redis.server.url }) as typeof nodeRedis
  await nodeRedis.connect()
  const old = express()
  const store = new ConnectRedis({ client: nodeRedis })
  old.use(
    expressSession({ store, secret: SECRET, resave: false, saveUninitialized: false }) as RequestHandler,
  )
  old.post('/login', (req, res) => {
    Object.assign(req.session, { passport: { user: 'ann' }, cart: [1] })
    res.json({})
  })
  before = await listen(old)

  const sessions = session<Record<string, unknown>>({
    redis: redis.client,
    migrateFrom: connectRedis({
      redis: redis.client,
      secrets: ['a newer secret', SECRET],
      userIdOf: (data) => (data.passport as { user?: string } | undefined)?.user,
    }),
  })
  const app = express()
  app.use(sessions)
  app.get('/', (req, res) => {
    res.json({ user: req.session.userId ?? null, data: req.session.data })
  })
  app.post('/logout', async (req, res) => {
    await req.session.destroy()
    res.json({})
  })
  after = await listen(app)
})
afterAll(async () => {
  await before?.close()
  await after?.close()
  await nodeRedis?.close()
})

async function oldCookie(): Promise<string> {
  return (await before.send('POST', '/login')).cookies[0]!.split(';')[0]!
}

const signedIn = { user: 'ann', data: { passport: { user: 'ann' }, cart: [1] } }

it('a session of connect-redis becomes ours at its next use, for all who come at once', async () => {
  const made: unknown[] = []
  const stop = createdChannel.subscribe((message) => made.push(message))
  const cookie = await oldCookie()
  const answers = await Promise.all(Array.from({ length: 20 }, () => after.send('GET', '/', { cookie })))
  stop()
  expect(answers.map(({ body }) => body)).toEqual(Array(20).fill(signedIn))
  const ours = new Set(answers.map(cookieOf))
  expect(ours.size).toBe(1)
  expect(made).toMatchObject([{ userId: 'ann', by: 'migration' }])
  const [own] = ours
  expect(await after.send('GET', '/', { cookie: own! })).toMatchObject({ body: signedIn, cookies: [] })
  // A client that missed the answer is given the same token once more.
  const again = await after.send('GET', '/', { cookie })
  expect([cookieOf(again), again.body]).toEqual([own, signedIn])
})

it('does not come back by its old cookie after a logout', async () => {
  const cookie = await oldCookie()
  const own = cookieOf(await after.send('GET', '/', { cookie }))
  await after.send('POST', '/logout', { cookie: own })
  for (const header of [cookie, own, `${cookie}; ${own}`]) {
    expect((await after.send('GET', '/', { cookie: header })).body).toEqual({ user: null, data: {} })
  }
})

it('believes no cookie that none of the secrets has signed, and asks the store for none', async () => {
  const cookie = decodeURIComponent(await oldCookie())
  const [sid = '', signature = ''] = cookie.slice('connect.sid=s:'.length).split('.')
  const forged = createHmac('sha256', 'another').update(sid).digest('base64').replace(/=+$/, '')
  const { migrateFrom } = {
    migrateFrom: connectRedis({ redis: redis.client, secrets: SECRET, userIdOf: () => undefined }),
  }
  for (const value of [
    `s:${sid}.${forged}`,
    `s:${sid}`,
    `s:${sid}.`,
    `${sid}.${signature}`,
    `s:${sid}x.${signature}`,
    `s:${sid}.${signature}x`,
    `s:.${signature}`,
    's:%E0%A4%A.%',
    `s%3A${sid}.%`,
  ]) {
    expect(migrateFrom.find({ cookie: `connect.sid=${value}` })).toBeUndefined()
    expect((await after.send('GET', '/', { cookie: `connect.sid=${encodeURI(value)}` })).body).toEqual({
      user: null,
      data: {},
    })
  }
  expect(migrateFrom.find({ cookie })).toEqual({ sid, secret: SECRET })
})

/** An app whose migration may fail, or be answered before the session is reached. */
async function fragile(
  moved: (work: () => Promise<boolean>) => Promise<boolean>,
  found: () => Promise<unknown> = async () => {},
): Promise<RunningApp> {
  const inner = connectRedis({
    redis: redis.client,
    secrets: SECRET,
    userIdOf: (data) => (data.passport as { user?: string } | undefined)?.user,
  })
  const sessions = session<Record<string, unknown>>({
    redis: redis.client,
    migrateFrom: {
      ...inner,
      read: async (key) => {
        const old = await inner.read(key)
        await found()
        return old
      },
      moved: (...args) => moved(() => inner.moved(...args)),
    },
  })
  const app = express()
  const busy = (_req: unknown, res: express.Response) => void res.status(429).json({})
  app.get('/busy', compose(sessions, busy))
  app.get('/limited', compose(limited, sessions), (_req, res) => void res.json({}))
  app.get('/socket', async (req, res) => {
    const one = await sessions.load(req.headers)
    const saved = one.save.bind(one)
    one.data.late = 1
    res.json({
      user: one.userId ?? null,
      cart: one.data.cart ?? null,
      saved: (await saved().catch(({ code }) => code)) ?? null,
    })
  })
  app.get('/', sessions, (req, res) => {
    res.json({ user: req.session.userId ?? null })
  })
  app.post('/logout', sessions, async (req, res) => {
    await req.session.destroy()
    res.json({})
  })
  return listen(app)
}

/** What is remembered of sessions that have ended, for a minute, is forgotten. */
async function aMinuteLater(): Promise<void> {
  for (const key of await redis.client.keys('*:session:*')) {
    if ((await redis.client.type(key)) === 'hash' && (await redis.client.hexists(key, 'z')) === 1) {
      await redis.client.del(key)
    }
  }
}

function limited(_req: unknown, res: { statusCode: number; end(): void }): void {
  res.statusCode = 429
  res.end()
}

it.each([
  ['before it is done', false],
  ['after it is done', true],
])(
  'a second command that fails %s neither logs out nor lets the old cookie in after a logout',
  async (_when, isDone) => {
    let failures = 1
    const app = await fragile(async (work) => {
      if (failures-- <= 0) return work()
      if (isDone) await work()
      throw new Error('no answer')
    })
    const cookie = await oldCookie()
    expect((await app.send('GET', '/', { cookie })).status).toBe(500)
    const again = await app.send('GET', '/', { cookie })
    expect(again.body).toEqual({ user: 'ann' })
    const own = cookieOf(again)
    await app.send('POST', '/logout', { cookie: own })
    for (const later of [async () => {}, aMinuteLater]) {
      await later()
      for (const header of [cookie, own]) {
        expect((await app.send('GET', '/', { cookie: header })).body).toEqual({ user: null })
      }
    }
    await app.close()
  },
)

it('who has found an old session that was taken over and ended before he took it over gets nothing', async () => {
  let others: (() => Promise<void>) | undefined
  const app = await fragile(
    (work) => work(),
    async () => {
      const meanwhile = others
      others = undefined
      await meanwhile?.()
    },
  )
  const cookie = await oldCookie()
  others = async () => {
    const own = cookieOf(await app.send('GET', '/', { cookie }))
    await app.send('POST', '/logout', { cookie: own })
    await aMinuteLater()
  }
  const late = await app.send('GET', '/', { cookie })
  expect([late.body, cookieOf(late)]).toEqual([{ user: null }, ''])
  expect((await app.send('GET', '/', { cookie })).body).toEqual({ user: null })
  await app.close()
})

it('an answer that brought no cookie, or was lost, leaves the old one as good as it was', async () => {
  const app = await fragile((work) => work())
  const cookie = await oldCookie()
  expect((await app.send('GET', '/limited', { cookie })).cookies).toEqual([])
  expect(
    await redis.client.exists(
      `sess:${decodeURIComponent(cookie).slice('connect.sid=s:'.length).split('.')[0]}`,
    ),
  ).toBe(1)
  // Where nothing is answered it is only read, however often.
  for (let look = 0; look < 3; look++) {
    expect((await app.send('GET', '/socket', { cookie })).body).toEqual({
      user: 'ann',
      cart: [1],
      saved: 'ERR_SCALE_SESSION_ENDED',
    })
  }
  // This answer, and the cookie in it, get lost.
  expect(cookieOf(await app.send('GET', '/', { cookie }))).not.toBe('')
  const [key] = await redis.client.keys('sess:*')
  expect(await redis.client.pttl(key!)).toBeGreaterThan(40_000_000)
  expect((await app.send('GET', '/socket', { cookie })).body).toMatchObject({ user: 'ann', saved: null })
  expect((await app.send('GET', '/busy', { cookie })).status).toBe(429)
  expect((await app.send('GET', '/', { cookie })).body).toEqual({ user: 'ann' })
  await app.close()
})

it('needs a cookie to hand over', () => {
  const migrateFrom = connectRedis({ redis: redis.client, secrets: SECRET, userIdOf: () => undefined })
  expect(() => session({ transport: bearer(), migrateFrom })).toThrow(/cookie/)
  expect(() => connectRedis({ redis: redis.client, secrets: [], userIdOf: () => undefined })).toThrow(
    /secrets/,
  )
})
