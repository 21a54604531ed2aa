import { createHmac } from 'node:crypto'
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

it('needs a cookie to hand over', () => {
  const migrateFrom = connectRedis({ redis: redis.client, secrets: SECRET, userIdOf: () => undefined })
  expect(() => session({ transport: bearer(), migrateFrom })).toThrow(/cookie/)
  expect(() => connectRedis({ redis: redis.client, secrets: [], userIdOf: () => undefined })).toThrow(
    /secrets/,
  )
})
