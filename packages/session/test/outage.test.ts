import { testRedis } from '@scale/devkit/redis-server'
import { createRedis } from '@scale/redis'
import { type RedisServer, startFaultProxy } from '@scale/redis/testing'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requireSession, type SessionOptions, session } from '../src/index.js'
import { cookieOf, listen, type RunningApp } from './app.js'

let server: RedisServer
const clients: ReturnType<typeof createRedis>[] = []
const apps: RunningApp[] = []

beforeAll(async () => {
  server = await testRedis({ appendOnly: true })
})
afterAll(async () => {
  for (const app of apps) await app.close()
  for (const client of clients) client.disconnect()
  await server?.stop()
})

async function start(onStoreError: NonNullable<SessionOptions['onStoreError']>, url = server.url) {
  const redis = createRedis(url, { guard: { deadlineMs: 100 } })
  clients.push(redis)
  const sessions = session({ redis, onStoreError, touchAfterRatio: 0 })
  const app = express()
  app.use(sessions)
  app.get('/', (req, res) => {
    res.json({ user: req.session.userId ?? null })
  })
  app.get('/me', requireSession(), (req, res) => {
    res.json({ user: req.session.userId })
  })
  app.post('/login', async (req, res) => {
    res.json(await req.session.login('ann'))
  })
  app.post('/logout', async (req, res) => {
    await req.session.destroy()
    res.sendStatus(204)
  })
  app.post('/renew', async (req, res) => {
    res.json(await req.session.renew())
  })
  app.post('/note', (req, res) => {
    req.session.data = { note: 1 }
    res.json({})
  })
  const running = await listen(app)
  apps.push(running)
  return running
}

/** The faults, how each begins, and how it ends. */
const faults: [name: string, begin: () => Promise<void>, end: () => Promise<void>][] = [
  ['Redis is frozen', async () => server.pause(), async () => server.resume()],
  ['Redis has crashed', () => server.kill(), () => server.restart()],
]

describe.each(faults)('%s', (_name, begin, end) => {
  it.each(['reject', 'anonymous'] as const)(
    '%s: ends by the deadline with what was declared, and heals',
    async (onStoreError) => {
      const app = await start(onStoreError)
      const login = await poll(() => app.send('POST', '/login'), 200)
      const headers = { cookie: cookieOf(login) }
      expect((await app.send('GET', '/me', headers)).status).toBe(200)

      await begin()
      try {
        // Some more than the breaker takes to open: with the deadline, and without a question.
        for (let attempt = 0; attempt < 8; attempt++) {
          const startedAt = performance.now()
          const [visitor, holder, guarded, logout, note] = await Promise.all([
            app.send('GET', '/'),
            app.send('GET', '/', headers),
            app.send('GET', '/me', headers),
            app.send('POST', '/logout', headers),
            app.send('POST', '/note', headers),
          ])
          // Two deadlines for the logout, and time for a slow machine.
          expect(performance.now() - startedAt).toBeLessThan(2_000)
          expect(visitor).toMatchObject({ status: 200, body: { user: null } })
          expect(guarded).toMatchObject({ status: 503, cookies: [] })
          expect(Number(guarded.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
          expect(note.cookies).toEqual([])
          if (onStoreError === 'reject')
            expect([holder.status, logout.status, note.status]).toEqual([503, 503, 503])
          else {
            expect(holder).toMatchObject({ status: 200, body: { user: null }, cookies: [] })
            expect(note.status).toBe(200)
            expect([logout.status, logout.cookies]).toEqual([503, []])
          }
        }
        expect((await app.send('POST', '/login')).status).toBe(503)
      } finally {
        await end()
      }
      await poll(() => app.send('GET', '/me', headers), 200)
    },
  )
})

it('does not repeat a write whose fate it does not know', async () => {
  const proxy = await startFaultProxy({ target: server })
  const app = await start('reject', proxy.url)
  const cookie = cookieOf(await poll(() => app.send('POST', '/login'), 200))
  await proxy.set({ holdReplies: true })
  const before = await sessionsOfUser()
  expect((await app.send('POST', '/login')).status).toBe(503)
  expect((await app.send('POST', '/note', { cookie })).status).toBe(503)
  await proxy.clear()
  await poll(() => app.send('GET', '/me', { cookie }), 200)
  // The login was carried out once; nobody has its token.
  expect((await sessionsOfUser()) - before).toBe(1)
  await proxy.close()
})

/** How many sessions are in the indexes of all users: each login adds one. */
async function sessionsOfUser(): Promise<number> {
  const keys = (await server.command('KEYS', 'scale:session:1:*:user')) as string[]
  const counts = await Promise.all(keys.map((key) => server.command('ZCARD', key)))
  return counts.reduce<number>((sum, count) => sum + Number(count), 0)
}

it('lets sessions be read and ended when Redis is out of memory, and says of writes that they failed', async () => {
  const app = await start('reject')
  const holder = { cookie: cookieOf(await poll(() => app.send('POST', '/login'), 200)) }
  const other = { cookie: cookieOf(await app.send('POST', '/login')) }
  const renewed = { cookie: cookieOf(await app.send('POST', '/renew', other)) }
  await server.command('CONFIG', 'SET', 'maxmemory', '1')
  try {
    expect((await app.send('GET', '/me', holder)).status).toBe(200)
    expect((await app.send('GET', '/me', renewed)).status).toBe(200)
    expect((await app.send('POST', '/note', holder)).status).toBe(503)
    expect((await app.send('POST', '/login')).status).toBe(503)
    expect((await app.send('POST', '/logout', holder)).status).toBe(204)
    expect((await app.send('GET', '/me', holder)).status).toBe(401)
  } finally {
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
  }
})

it('starts while Redis is away', async () => {
  await server.kill()
  const app = await start('reject')
  expect((await app.send('GET', '/')).status).toBe(200)
  expect((await app.send('POST', '/login')).status).toBe(503)
  await server.restart()
  await poll(() => app.send('POST', '/login'), 200)
})

/** Asks until the status is the wanted one. */
async function poll<Answer extends { status: number }>(
  ask: () => Promise<Answer>,
  status: number,
): Promise<Answer> {
  let answer = await ask()
  await expect
    .poll(
      async () => {
        if (answer.status !== status) answer = await ask()
        return answer.status
      },
      { timeout: 10_000 },
    )
    .toBe(status)
  return answer
}
