import { compose } from '@scale/core'
import express, { type Express } from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { bearer, cookie, requireSession, type SessionOptions, session } from '../src/index.js'
import { redisStore } from '../src/stores/redis.js'
import { cookieOf, expressVersions, listen, type RunningApp } from './app.js'
import { useRedis } from './redis.js'

declare module '../src/index.js' {
  interface SessionData {
    [key: string]: unknown
  }
}

const redis = useRedis()
let running: RunningApp | undefined
let nowMs = 1_800_000_000_000

afterEach(async () => {
  await running?.close()
  running = undefined
})

/** An app with every verb of a session as a route. */
async function start(make: () => Express, options: SessionOptions<Record<string, unknown>> = {}) {
  const store = redisStore({ redis: redis.client, clock: () => nowMs })
  const sessions = session({ store, ...options })
  const app = make()
  app.use(express.json())
  app.post('/login/:user', sessions, async (req, res) => {
    res.json(await req.session.login(req.params.user!, req.body))
  })
  app.get('/me', compose(sessions, requireSession()), (req, res) => {
    res.json({ user: req.session.userId, id: req.session.id, data: req.session.data })
  })
  app.get('/any', sessions, (req, res) => {
    res.json({ isNew: req.session.isNew, user: req.session.userId ?? null, data: req.session.data })
  })
  app.post('/set/:key/:value', sessions, (req, res) => {
    req.session.data[req.params.key!] = req.params.value
    res.json({})
  })
  app.post('/save/:key/:value', sessions, async (req, res) => {
    req.session.data[req.params.key!] = req.params.value
    await req.session.save()
    res.json({})
  })
  app.post('/:verb', sessions, async (req, res) => {
    const verb = req.params.verb as 'destroy' | 'renew' | 'elevate'
    res.json((await req.session[verb]()) ?? null)
  })
  running = await listen(app)
  return running
}

describe.each(expressVersions)('%s', (_name, make) => {
  it('opens a session by cookie from login to logout', async () => {
    const app = await start(make)
    const login = await app.send('POST', '/login/ann')
    expect(login.cookies).toEqual([
      expect.stringMatching(/^__Host-session=[\w-]{79}; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
    ])
    expect(login.headers.get('cache-control')).toBe('no-store')
    expect(login.body).toEqual({ token: cookieOf(login).split('=')[1], expiresAt: nowMs + 43_200_000 })
    const headers = { cookie: `a=b; ${cookieOf(login)}` }
    const me = await app.send('GET', '/me', headers)
    expect(me).toMatchObject({ status: 200, cookies: [], body: { user: 'ann', data: {} } })
    const logout = await app.send('POST', '/destroy', headers)
    expect(logout.cookies).toEqual(['__Host-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax'])
    expect((await app.send('GET', '/me', headers)).status).toBe(401)
  })

  it('opens a session by bearer token, and challenges without one', async () => {
    const app = await start(make, { transport: bearer({ realm: 'api' }) })
    const login = await app.send('POST', '/login/ann')
    expect(login.cookies).toEqual([])
    const { token } = login.body as { token: string }
    const authorization = `bearer ${token}`
    expect((await app.send('GET', '/me', { authorization })).body).toMatchObject({ user: 'ann' })
    await app.send('POST', '/destroy', { authorization })
    const without = await app.send('GET', '/me')
    expect([without.status, without.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="api"'])
    const dead = await app.send('GET', '/me', { authorization })
    expect(dead.headers.get('www-authenticate')).toBe('Bearer realm="api", error="invalid_token"')
    expect(dead.body).toMatchObject({ code: 'ERR_SCALE_SESSION_REQUIRED' })
  })

  it('takes either of two transports', async () => {
    const app = await start(make, { transport: [bearer(), cookie()] })
    const login = await app.send('POST', '/login/ann')
    const { token } = login.body as { token: string }
    expect((await app.send('GET', '/me', { authorization: `Bearer ${token}` })).status).toBe(200)
    expect((await app.send('GET', '/me', { cookie: cookieOf(login) })).status).toBe(200)
  })

  it('stores nothing for a visitor who leaves nothing', async () => {
    const app = await start(make)
    const before = await redis.client.dbsize()
    expect(await app.send('GET', '/any')).toMatchObject({ cookies: [], body: { isNew: true, user: null } })
    expect(await redis.client.dbsize()).toBe(before)
  })

  it('keeps the data of a visitor, and takes it along into the login', async () => {
    const app = await start(make)
    const visit = await app.send('POST', '/save/cart/apple')
    const visitor = { cookie: cookieOf(visit) }
    expect((await app.send('GET', '/any', visitor)).body).toEqual({
      isNew: false,
      user: null,
      data: { cart: 'apple' },
    })
    const login = await app.send('POST', '/login/ann', visitor)
    expect(cookieOf(login)).not.toBe(visitor.cookie)
    const me = await app.send('GET', '/me', { cookie: cookieOf(login) })
    expect(me.body).toMatchObject({ user: 'ann', data: { cart: 'apple' } })
    expect((await app.send('GET', '/any', visitor)).body).toMatchObject({ isNew: true, data: {} })
  })

  it('saves what a handler changed, without being asked', async () => {
    const app = await start(make)
    const visit = await app.send('POST', '/set/cart/apple')
    const headers = { cookie: cookieOf(visit) }
    await expect
      .poll(async () => (await app.send('GET', '/any', headers)).body)
      .toMatchObject({ data: { cart: 'apple' } })
    await app.send('POST', '/set/seen/yes', headers)
    await expect
      .poll(async () => (await app.send('GET', '/any', headers)).body)
      .toMatchObject({ data: { cart: 'apple', seen: 'yes' } })
  })

  it('ends a session that nobody uses, and one that is too old', async () => {
    const app = await start(make, { idleTimeoutMs: 1_000_000, absoluteTimeoutMs: 3_000_000 })
    const idle = { cookie: cookieOf(await app.send('POST', '/login/ann')) }
    nowMs += 999_000
    expect((await app.send('GET', '/me', idle)).status).toBe(200)
    await expect.poll(() => lastSeen(idle.cookie)).toBe(nowMs)
    nowMs += 999_000
    expect((await app.send('GET', '/me', idle)).status).toBe(200)
    await expect.poll(() => lastSeen(idle.cookie)).toBe(nowMs)
    nowMs += 999_000
    expect((await app.send('GET', '/me', idle)).status).toBe(200)
    await expect.poll(() => lastSeen(idle.cookie)).toBe(nowMs)
    nowMs += 3_000
    expect((await app.send('GET', '/me', idle)).status).toBe(401)
    const forgotten = { cookie: cookieOf(await app.send('POST', '/login/ann')) }
    nowMs += 1_000_000
    expect((await app.send('GET', '/me', forgotten)).status).toBe(401)
  })
})

/** When the store last saw a session. */
async function lastSeen(cookie: string): Promise<number> {
  const [, token = ''] = cookie.split('=')
  const store = redisStore({ redis: redis.client, clock: () => nowMs })
  const loaded = await store.load({ tag: token.slice(0, 20), id: token.slice(20, 36) })
  return typeof loaded === 'object' ? loaded.record.lastSeenAt : 0
}
