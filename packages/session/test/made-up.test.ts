import { createRedis, whenReady } from '@scale/redis'
import express from 'express'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bearer, session } from '../src/index.js'
import { newRef, newToken } from '../src/stores/token.js'
import { listen, type RunningApp } from './app.js'
import { type CountingProxy, startCountingProxy } from './counting-proxy.js'
import { useRedis } from './redis.js'

const redis = useRedis()
let proxy: CountingProxy
let client: ReturnType<typeof createRedis>
let app: RunningApp

beforeAll(async () => {
  proxy = await startCountingProxy(redis.server.port)
  client = createRedis(proxy.url, { guard: { deadlineMs: 2_000 } })
  await whenReady(client, 5_000)
  const routes = express().use(session({ redis: client, transport: bearer() }))
  routes.post('/login', async (req, res) => {
    res.json(await req.session.login('ann'))
  })
  routes.get('/', (req, res) => {
    res.json({ user: req.session.userId ?? null })
  })
  app = await listen(routes)
})
afterAll(async () => {
  await app?.close()
  client?.disconnect()
  await proxy?.close()
})

const user = async (token: string): Promise<unknown> =>
  (await app.send('GET', '/', { authorization: `Bearer ${token}` })).body

it('of 1,000 made-up tokens few are asked for, and real ones open all the while', async () => {
  const { token } = (await app.send('POST', '/login')).body as { token: string }
  proxy.take()
  const startedAt = performance.now()
  for (let i = 0; i < 1_000; i++) expect(await user(newToken(newRef(undefined)))).toEqual({ user: null })
  // Twenty, and one more each second.
  const seconds = (performance.now() - startedAt) / 1_000
  expect(proxy.take().commands.length).toBeLessThanOrEqual(22 + seconds)
  expect(await user(token)).toEqual({ user: 'ann' })
})

it('a slot that a caller chose is never asked for once that is known', async () => {
  const { token } = (await app.send('POST', '/login')).body as { token: string }
  proxy.take()
  // The tag of a real session, and another id in it.
  for (let i = 0; i < 100; i++) await user(newToken({ ...newRef('ann'), id: newRef(undefined).id }))
  expect(proxy.take().commands.length).toBeLessThan(5)
  expect(await user(token)).toEqual({ user: 'ann' })
})

it('tokens of processes that make no marks open, as many as there are', async () => {
  const { mark: _, ...unmarked } = (await import('../src/stores/redis.js')).redisStore({
    redis: redis.client,
  })
  const older = session({ store: unmarked, transport: bearer() })
  const fresh = session({ redis: client, transport: bearer() })
  await (await fresh.load({})).login('bob')
  for (let i = 0; i < 100; i++) {
    const { token } = await (await older.load({})).login('bob')
    expect((await fresh.load({ authorization: `Bearer ${token}` })).userId).toBe('bob')
    const own = await (await fresh.load({})).login('bob')
    expect((await older.load({ authorization: `Bearer ${own.token}` })).userId).toBe('bob')
  }
})

it('when the key is lost, sessions that it marked go on', async () => {
  const first = session({ redis: client, prefix: 'lost', transport: bearer() })
  const tokens = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => (await (await first.load({})).login(`u${i}`)).token),
  )
  await redis.client.del('lost:session:1:mark')
  const second = session({ redis: client, prefix: 'lost', transport: bearer() })
  const other = (await (await second.load({})).login('u')).token
  for (const sessions of [first, second]) {
    for (const token of [...tokens, other]) {
      expect((await sessions.load({ authorization: `Bearer ${token}` })).userId).toBeDefined()
    }
  }
})
