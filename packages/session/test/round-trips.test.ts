import { compose, prefetch } from '@scale/core'
import { createRedis, type RedisClient, storeGuard, whenReady } from '@scale/redis'
import express from 'express'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bearer, cookie, requireSession, type Sessions, session } from '../src/index.js'
import { newRef, newToken } from '../src/stores/token.js'
import { listen, type RunningApp } from './app.js'
import { type CountingProxy, startCountingProxy } from './counting-proxy.js'
import { useRedis } from './redis.js'

type Data = Record<string, unknown>

const redis = useRedis()
let proxy: CountingProxy
let client: RedisClient & { disconnect(): void }
let sessions: Sessions<Data>
let renewing: Sessions<Data>
let app: RunningApp

beforeAll(async () => {
  proxy = await startCountingProxy(redis.server.port)
  const made = createRedis(proxy.url, { guard: { deadlineMs: 2_000 } })
  await whenReady(made, 5_000)
  client = made as unknown as typeof client
  sessions = session<Data>({ redis: client, transport: bearer() })
  const eager = session<Data>({ redis: client, transport: bearer(), touchAfterRatio: 0 })
  renewing = session<Data>({ redis: client, transport: cookie({ secure: false }), renewAfterMs: 1 })
  const begun = new WeakMap<object, Promise<unknown>>()
  const ask = (req: object): Promise<unknown> => {
    const asked = begun.get(req) ?? storeGuard(client).call('get', ['quota'])
    begun.set(req, asked)
    return asked
  }
  const quota = Object.assign((req: object, _res: unknown, next: () => void) => void ask(req).then(next), {
    [prefetch]: (req: object) => void ask(req),
  })
  const web = express()
  web.get('/read', sessions, (req, res) => {
    res.json({ user: req.session.userId ?? null, data: req.session.data })
  })
  web.get('/touch', eager, (_req, res) => {
    res.json({})
  })
  web.get('/composed', compose(sessions, requireSession(), quota), (_req, res) => {
    res.json({})
  })
  web.post('/write', sessions, async (req, res) => {
    sessions.get(req).data.n = req.query.n
    await req.session.save()
    res.json({})
  })
  web.post('/change', eager, (req, res) => {
    eager.get(req).data.n = req.query.n
    res.json({})
  })
  web.post('/renewed', renewing, (req, res) => {
    renewing.get(req).data.n = req.query.n
    res.json({})
  })
  web.post('/login', sessions, async (req, res) => {
    res.json(await req.session.login('ann'))
  })
  web.post('/logout', sessions, async (req, res) => {
    await req.session.destroy()
    res.json({})
  })
  web.post('/logout-all', sessions, async (req, res) => {
    res.json(await sessions.of(req.session).revokeAll())
  })
  app = await listen(web)
})
afterAll(async () => {
  await app?.close()
  client?.disconnect()
  await proxy?.close()
})

async function token(userId = 'ann'): Promise<string> {
  const one = await sessions.load({})
  one.data = { a: 1, b: 'two' }
  return (await one.login(userId)).token
}

/** Commands and round trips of one request. */
async function cost(
  method: string,
  path: string,
  authorization?: string,
): Promise<[commands: number, trips: number]> {
  return costOf(method, path, authorization === undefined ? {} : { authorization })
}

async function costOf(
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<[commands: number, trips: number]> {
  proxy.take()
  const answer = await app.send(method, path, headers)
  expect(answer.status).toBe(200)
  if (path.startsWith('/renewed')) expect(answer.cookies).toHaveLength(1)
  // What is done after the response goes over the same connection: when this is answered, so was that.
  await new Promise((resolve) => setImmediate(resolve))
  const { commands, roundTrips } = proxy.take()
  return [commands.length, roundTrips]
}

it('costs what it says', async () => {
  const authorization = `Bearer ${await token()}`
  // The server learns each script at its first use; that is not what is counted.
  for (const path of ['/read', '/touch', '/composed']) await cost('GET', path, authorization)
  await cost('POST', '/write?n=0', authorization)
  // The first request of a process asks for the key of the marks beside.
  await renewing.load({ cookie: `session=${authorization.slice(7)}` })
  await cost('POST', '/logout', `Bearer ${await token()}`)
  await cost('POST', '/logout-all', `Bearer ${await token('warm')}`)

  // Some are asked for: they could be of before there were marks.
  const forged = () => cost('GET', '/read', `Bearer ${newToken(newRef(undefined))}`)
  for (let i = 0; i < 20; i++) await forged()

  const costs = {
    'no token': await cost('GET', '/read'),
    'malformed token': await cost('GET', '/read', 'Bearer x'),
    'forged token': await forged(),
    read: await cost('GET', '/read', authorization),
    'read beside a quota, composed': await cost('GET', '/composed', authorization),
    'read, then write': await cost('POST', '/write?n=1', authorization),
    'read, then a write with its touch before the answer': await cost('POST', '/change?n=2', authorization),
    'read, then a write with its touch and a new token': await costOf('POST', '/renewed?n=3', {
      cookie: `session=${authorization.slice(7)}`,
    }),
    login: await cost('POST', '/login'),
    'read, then login as the same user': await cost('POST', '/login', `Bearer ${await token()}`),
    'read, then login': await cost('POST', '/login', `Bearer ${await token('bob')}`),
    'read, then logout': await cost('POST', '/logout', `Bearer ${await token()}`),
  }
  expect(costs).toEqual({
    'no token': [0, 0],
    'malformed token': [0, 0],
    'forged token': [0, 0],
    read: [1, 1],
    'read beside a quota, composed': [2, 1],
    'read, then write': [2, 2],
    'read, then a write with its touch before the answer': [2, 2],
    'read, then a write with its touch and a new token': [2, 2],
    login: [1, 1],
    'read, then login as the same user': [2, 2],
    'read, then login': [3, 3],
    'read, then logout': [2, 2],
  })
})

it('touches after the response, in one command', async () => {
  const authorization = `Bearer ${await token()}`
  proxy.take()
  await app.send('GET', '/touch', { authorization })
  const commands: string[] = []
  await expect.poll(() => commands.push(...proxy.take().commands) && commands).toEqual(['evalsha', 'evalsha'])
})

it('ends 1,000 sessions of a user in one command, and 10,000 in one step', { timeout: 60_000 }, async () => {
  for (const count of [1_000, 10_000]) {
    const tokens: string[] = []
    while (tokens.length < count) {
      tokens.push(...(await Promise.all(Array.from({ length: 500 }, () => token('many')))))
    }
    const current = `Bearer ${tokens[0]}`
    proxy.take()
    const answer = await app.send('POST', '/logout-all', { authorization: current })
    const { commands, roundTrips } = proxy.take()
    expect(answer.body).toBe(count)
    // One to read the session that asks, one to end them all.
    expect([commands.length, roundTrips]).toEqual([2, 2])
    const samples = [tokens[0], tokens[count / 2], tokens[count - 1]]
    for (const one of samples)
      expect((await app.send('GET', '/read', { authorization: `Bearer ${one}` })).body).toEqual({
        user: null,
        data: {},
      })
    expect(await sessions.of('many').list()).toEqual([])
  }
})
