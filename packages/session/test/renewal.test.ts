import { once } from 'node:events'
import { request } from 'node:http'
import express from 'express'
import { describe, expect, it } from 'vitest'
import {
  bearer,
  memoryStore,
  renewedChannel,
  revokedChannel,
  type SessionOptions,
  type SessionStore,
  session,
} from '../src/index.js'
import { redisStore } from '../src/stores/redis.js'
import { type Answer, cookieOf, listen, type RunningApp } from './app.js'
import { useRedis } from './redis.js'

type Options = SessionOptions<Record<string, unknown>>

const redis = useRedis()
const AGE_MS = 3_600_000
const GRACE_MS = 10_000
let nowMs = 1_800_000_000_000

const stores: [string, () => SessionStore][] = [
  ['Redis', () => redisStore({ redis: redis.client, clock: () => nowMs })],
  ['memory', () => memoryStore({ clock: () => nowMs })],
]

describe.each(stores)('with sessions in %s', (_where, store) => {
  async function start(options: Options = {}): Promise<RunningApp> {
    const long = { idleTimeoutMs: 10_000 * AGE_MS, absoluteTimeoutMs: 10_000 * AGE_MS }
    const app = express().use(session({ store: store(), ...long, ...options }))
    app.post('/login', async (req, res) => {
      res.json(await req.session.login('ann'))
    })
    app.get('/', (req, res) => {
      res.json({ user: req.session.userId ?? null })
    })
    app.post('/:verb', async (req, res) => {
      await req.session[req.params.verb as 'renew' | 'elevate']()
      res.json({})
    })
    app.get('/set', (req, res) => {
      req.session.data.n = 1
      res.json({ user: req.session.userId ?? null })
    })
    return listen(app)
  }

  it('1,000 renewals whose every second answer is lost log nobody out', { timeout: 60_000 }, async () => {
    const app = await start()
    // Twenty at a time, each on its own.
    const browsers = await Promise.all(
      Array.from({ length: 20 }, async () => ({
        cookie: cookieOf(await app.send('POST', '/login')),
        renewals: 0,
      })),
    )
    for (let i = 0; i < 100; i++) {
      nowMs += AGE_MS / 2
      await Promise.all(
        browsers.map(async (browser) => {
          const { cookie } = browser
          const answer = await app.send('GET', i % 3 === 0 ? '/set' : '/', { cookie })
          expect(answer.body).toEqual({ user: 'ann' })
          const next = cookieOf(answer)
          if (next !== '') browser.renewals++
          // Every second answer that brings a new token does not arrive.
          if (next !== '' && browser.renewals % 2 === 0) browser.cookie = next
        }),
      )
    }
    const renewals = browsers.reduce((sum, one) => sum + one.renewals, 0)
    expect(renewals).toBeGreaterThanOrEqual(1_000)
    await app.close()
  })

  it('gives who has the old token nothing once the new one was used', async () => {
    const app = await start({ renewGraceMs: 0 })
    const old = { cookie: cookieOf(await app.send('POST', '/login')) }
    nowMs += AGE_MS
    const renewed = await app.send('GET', '/', old)
    const own = { cookie: cookieOf(renewed) }
    expect((await app.send('GET', '/', own)).body).toEqual({ user: 'ann' })
    expect(await app.send('GET', '/', old)).toMatchObject({ body: { user: null }, cookies: [] })
    expect((await app.send('POST', '/renew', old)).status).toBe(401)
    expect((await app.send('POST', '/elevate', old)).status).toBe(401)
    expect((await app.send('GET', '/', own)).body).toEqual({ user: 'ann' })
    await app.close()
  })

  it('serves requests that were on their way, and gives them no new token', async () => {
    const app = await start({ renewGraceMs: GRACE_MS })
    const old = { cookie: cookieOf(await app.send('POST', '/login')) }
    nowMs += AGE_MS
    const own = { cookie: cookieOf(await app.send('GET', '/', old)) }
    await app.send('GET', '/', own)
    nowMs += GRACE_MS - 1
    for (const path of ['/', '/set']) {
      expect(await app.send('GET', path, old)).toMatchObject({ body: { user: 'ann' }, cookies: [] })
    }
    expect((await app.send('POST', '/renew', old)).status).toBe(401)
    expect((await app.send('POST', '/elevate', old)).status).toBe(401)
    nowMs += 1
    expect((await app.send('GET', '/', old)).body).toEqual({ user: null })
    expect((await app.send('GET', '/', own)).body).toEqual({ user: 'ann' })
    await app.close()
  })

  it("onTokenReuse: 'revoke' ends the session for both", async () => {
    const app = await start({ renewGraceMs: 0, onTokenReuse: 'revoke' })
    const old = { cookie: cookieOf(await app.send('POST', '/login')) }
    nowMs += AGE_MS
    const own = { cookie: cookieOf(await app.send('GET', '/', old)) }
    await app.send('GET', '/', own)
    const revoked: unknown[] = []
    const stop = revokedChannel.subscribe((message) => revoked.push(message))
    expect((await app.send('GET', '/', old)).body).toEqual({ user: null })
    stop()
    expect(revoked).toEqual([{ userId: 'ann', by: 'reuse', count: 1 }])
    expect((await app.send('GET', '/', own)).body).toEqual({ user: null })
    await app.close()
  })

  it('comes with what the request changed', async () => {
    const app = await start()
    const old = { cookie: cookieOf(await app.send('POST', '/login')) }
    nowMs += AGE_MS
    const renewed = await app.send('GET', '/set', old)
    expect(cookieOf(renewed)).not.toBe('')
    await app.close()
  })

  it('does not happen to a token in a header', async () => {
    const app = await start({ transport: bearer() })
    const { token } = (await app.send('POST', '/login')).body as { token: string }
    const renewed: unknown[] = []
    const stop = renewedChannel.subscribe((message) => renewed.push(message))
    for (let i = 0; i < 3; i++) {
      nowMs += AGE_MS
      const answer = await app.send('GET', '/set', { authorization: `Bearer ${token}` })
      expect(answer).toMatchObject({ body: { user: 'ann' }, cookies: [] })
    }
    stop()
    expect(renewed).toEqual([])
    await app.close()
  })

  it('is not used by a request that reads its session anew', async () => {
    const sessions = session({ store: store(), renewGraceMs: 0 })
    const { token } = await (await sessions.load({})).login('ann')
    const headers = { cookie: `__Host-session=${token}` }
    const one = await sessions.load(headers)
    await one.renew()
    await one.reload()
    // The client may not have the new token: the old one has to open the session still.
    expect((await sessions.load(headers)).userId).toBe('ann')
  })

  it('a body that takes longer than the idle timeout does not end the session', async () => {
    const idleTimeoutMs = 1_000_000
    const app = express().use(
      session({ store: store(), idleTimeoutMs, absoluteTimeoutMs: 10 * idleTimeoutMs }),
    )
    app.post('/login', async (req, res) => {
      res.json(await req.session.login('ann'))
    })
    app.get('/', (req, res) => {
      res.json({ user: req.session.userId ?? null })
    })
    let finish: () => void = () => {}
    app.get('/download', (_req, res) => {
      res.write('begin')
      finish = () => res.end('end')
    })
    const running = await listen(app)
    const headers = { cookie: cookieOf(await running.send('POST', '/login')) }
    nowMs += idleTimeoutMs * 0.9
    const sent = request(`${running.url}/download`, { headers })
    sent.end()
    const [res] = await once(sent, 'response')
    await once(res, 'data')
    nowMs += idleTimeoutMs * 0.9
    finish()
    await once(res.resume(), 'end')
    const after: Answer = await running.send('GET', '/', headers)
    expect(after.body).toEqual({ user: 'ann' })
    await running.close()
  })
})
