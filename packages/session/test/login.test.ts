import express from 'express'
import { describe, expect, it } from 'vitest'
import {
  cookie,
  memoryStore,
  refusedChannel,
  type SessionOptions,
  type SessionStore,
  session,
} from '../src/index.js'
import { redisStore } from '../src/stores/redis.js'
import { cookieOf, listen, type RunningApp } from './app.js'
import { useRedis } from './redis.js'

type Options = SessionOptions<Record<string, unknown>>

const redis = useRedis()
let nowMs = 1_800_000_000_000
const stores: [string, () => SessionStore][] = [
  ['Redis', () => redisStore({ redis: redis.client, clock: () => nowMs })],
  ['memory', () => memoryStore({ clock: () => nowMs })],
]
let users = 0

describe.each(stores)('with sessions in %s', (_where, store) => {
  async function start(options: Options = {}): Promise<RunningApp> {
    const sessions = session<Record<string, unknown>>({ store: store(), ...options })
    const app = express().use(express.json(), sessions)
    app.post('/login/:user', async (req, res) => {
      await req.session.login(req.params.user, req.body)
      res.json({ data: req.session.data })
    })
    app.post('/set/:key', (req, res) => {
      req.session.data[req.params.key] = 1
      res.json({})
    })
    app.get('/', (req, res) => {
      res.json({ user: req.session.userId ?? null, data: req.session.data })
    })
    app.get('/list/:user', async (req, res) => {
      res.json((await sessions.of(req.params.user).list({ limit: 2 })).map(({ id }) => id))
    })
    app.get('/id', (req, res) => {
      res.json(req.session.id)
    })
    app.get('/nothing', (_req, res) => {
      res.json({})
    })
    app.post('/logout', async (req, res) => {
      await req.session.destroy()
      res.json({})
    })
    return listen(app)
  }

  it.each([
    ['nobody', undefined, {}, { a: 1 }],
    ['the same user', 'ann', {}, { a: 1 }],
    ['another user', 'bob', {}, {}],
    ['another user, asked for', 'bob', { keepData: true }, { a: 1 }],
    ['nobody, refused', undefined, { keepData: false }, {}],
  ])('the data of a session of %s goes over or not', async (_whose, before, options, data) => {
    const app = await start()
    let headers = {}
    if (before !== undefined) headers = { cookie: cookieOf(await app.send('POST', `/login/${before}`)) }
    const set = await app.send('POST', '/set/a', headers)
    if (before === undefined) headers = { cookie: cookieOf(set) }
    const login = await app.send('POST', '/login/ann', headers, options)
    expect(login.body).toEqual({ data })
    expect((await app.send('GET', '/', { cookie: cookieOf(login) })).body).toEqual({ user: 'ann', data })
    await app.close()
  })

  it('again in the same browser neither counts twice nor throws another device out', async () => {
    for (const evict of ['reject', 'oldest'] as const) {
      const app = await start({ maxPerUser: { quota: 2, evict } })
      const user = `again-${users++}`
      const device = { cookie: cookieOf(await app.send('POST', `/login/${user}`)) }
      let browser = { cookie: cookieOf(await app.send('POST', `/login/${user}`)) }
      for (let i = 0; i < 3; i++) {
        const login = await app.send('POST', `/login/${user}`, browser)
        expect(login.status).toBe(200)
        browser = { cookie: cookieOf(login) }
      }
      expect((await app.send('GET', '/', device)).body).toMatchObject({ user })
      expect((await app.send('GET', '/', browser)).body).toMatchObject({ user })
      await app.close()
    }
  })

  it('above the quota, the session ends that was not used for longest, however long it would live', async () => {
    const app = await start({ maxPerUser: { quota: 2, evict: 'oldest' } })
    const user = `evict-${users++}`
    const day = 86_400_000
    const remembered = { idleTimeoutMs: 30 * day, absoluteTimeoutMs: 30 * day }
    const idle = { cookie: cookieOf(await app.send('POST', `/login/${user}`, {}, remembered)) }
    nowMs += 2 * day
    const used = { cookie: cookieOf(await app.send('POST', `/login/${user}`)) }
    const ids = [(await app.send('GET', '/id', used)).body]
    nowMs += 1_000
    ids.push((await app.send('GET', '/id', idle)).body)
    nowMs += 60_000
    // The one that lasts a month was just used: it is the first of the list now.
    expect((await app.send('GET', `/list/${user}`)).body).toEqual([ids[0], ids[1]].reverse())
    nowMs += 1_000_000
    await app.send('GET', '/', used)
    expect((await app.send('GET', `/list/${user}`)).body).toEqual(ids)
    await app.send('POST', `/login/${user}`)
    expect((await app.send('GET', '/', idle)).body).toMatchObject({ user: null })
    expect((await app.send('GET', '/', used)).body).toMatchObject({ user })
    await app.close()
  })

  it('opens by any of several cookies of one name, and of a header and a cookie', async () => {
    const app = await start({ transport: cookie({ name: 'session', path: '/' }) })
    const good = cookieOf(await app.send('POST', '/login/ann'))
    const dead = cookieOf(await app.send('POST', '/login/ann'))
    await app.send('POST', '/logout', { cookie: dead })
    const forged = `session=${'A'.repeat(79)}`
    for (const header of [`${dead}; ${good}`, `${forged}; ${dead}; ${good}`, `session=x; ${good}; ${dead}`]) {
      const answer = await app.send('GET', '/', { cookie: header })
      expect(answer).toMatchObject({ body: { user: 'ann' }, cookies: [] })
    }
    // There is an end to what one request can ask.
    const many = Array.from({ length: 8 }, (_, i) => `session=${String(i).repeat(79)}`).join('; ')
    expect((await app.send('GET', '/', { cookie: `${many}; ${good}` })).body).toMatchObject({ user: null })
    await app.close()
  })

  it('a dead cookie is taken back, unless a newer one may be on its way', async () => {
    const app = await start()
    for (const header of ['__Host-session=x', `__Host-session=${'A'.repeat(79)}`]) {
      const answer = await app.send('GET', '/nothing', { cookie: header })
      expect(answer.cookies).toEqual([expect.stringMatching(/^__Host-session=; Max-Age=0;/)])
    }
    expect((await app.send('GET', '/nothing')).cookies).toEqual([])
    const expired = { cookie: cookieOf(await app.send('POST', '/login/ann', {}, { idleTimeoutMs: 1_000 })) }
    nowMs += 1_000
    expect((await app.send('GET', '/nothing', expired)).cookies).toHaveLength(1)
    // Whoever comes with a dead cookie and leaves with a new one gets the new one only.
    const login = await app.send('POST', '/login/ann', expired)
    expect(login.cookies).toEqual([expect.stringMatching(/^__Host-session=[\w-]{79};/)])
    // A slow request that began before a login, or a logout, must not take back what that has set.
    const visitor = { cookie: cookieOf(await app.send('POST', '/set/a')) }
    const fresh = { cookie: cookieOf(await app.send('POST', '/login/ann', visitor)) }
    const reasons: unknown[] = []
    const stop = refusedChannel.subscribe(({ reason }) => reasons.push(reason))
    expect((await app.send('GET', '/nothing', visitor)).cookies).toEqual([])
    await app.send('POST', '/logout', fresh)
    expect((await app.send('GET', '/nothing', fresh)).cookies).toEqual([])
    stop()
    expect(reasons).toEqual(['ended', 'ended'])
    await app.close()
  })
})
