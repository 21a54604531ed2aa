import type { RequestText, ServerVariant, Variants } from '@scale/devkit/bench'
import type { Express, RequestHandler } from 'express'
import type { FastifyInstance } from 'fastify'

/** The answer of every route: 300 bytes of JSON. */
const ANSWER = Object.freeze({
  id: 4711,
  name: 'Ann Example',
  email: 'ann@example.org',
  role: 'member',
  lastSeen: '2026-11-20T12:00:00.000Z',
  about: 'x'.repeat(177),
})

/** Requests of so many users in turn, each with a session of its own. */
const USERS = 64

type Requests = NonNullable<ServerVariant['requests']>

function ofUsers(path: string): Requests {
  return async (origin): Promise<RequestText> => {
    const cookies: string[] = []
    for (let user = 0; user < USERS; user++) {
      const { headers } = await fetch(`${origin}/login`, { method: 'POST' })
      cookies.push(headers.getSetCookie()[0]!.split(';')[0]!)
    }
    return (number) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookies[number % USERS]}\r\n\r\n`
  }
}

const bare: Requests = () => {
  return () => `GET /read HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: theme=dark\r\n\r\n`
}

/** What a write writes: another value each time. */
let count = 0

async function bareExpress(): Promise<Express> {
  const { default: express } = await import('express')
  return express().get('/read', (_req, res) => {
    res.json(ANSWER)
  })
}

async function ours(redisUrl: string): Promise<Express> {
  const { default: express } = await import('express')
  const { createRedis, whenReady } = await import('@scale/redis')
  const { cookie, session } = await import('@scale/session')
  const redis = createRedis(redisUrl, { guard: { deadlineMs: 10_000, patienceMs: 10_000 } })
  await whenReady(redis, 5_000)
  const sessions = session<Record<string, unknown>>({ redis, transport: cookie({ secure: false }) })
  const app = express().use(sessions)
  app.post('/login', async (req, res) => {
    await req.session.login(`user-${count++}`)
    res.json({})
  })
  app.get('/read', (req, res) => {
    res.json(req.session.userId === undefined ? null : ANSWER)
  })
  app.get('/write', (req, res) => {
    sessions.get(req).data.n = count++
    res.json(ANSWER)
  })
  return app
}

async function expressSession(redisUrl: string): Promise<Express> {
  const { default: express } = await import('express')
  const { default: middleware } = await import('express-session' as string)
  const app = express()
  app.use(
    middleware({
      store: await connectRedis(redisUrl),
      secret: 'a secret of at least thirty-two characters',
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: 1_800_000 },
    }) as RequestHandler,
  )
  app.post('/login', (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error)
      Object.assign(req.session, { user: `user-${count++}` })
      res.json({})
    })
  })
  app.get('/read', (req, res) => {
    res.json('user' in req.session ? ANSWER : null)
  })
  app.get('/write', (req, res) => {
    Object.assign(req.session, { n: count++ })
    res.json(ANSWER)
  })
  return app
}

/** By node-redis, which connect-redis asks for. */
async function connectRedis(redisUrl: string): Promise<unknown> {
  const { RedisStore } = await import('connect-redis')
  const { createClient } = await import('redis')
  const client = createClient({ url: redisUrl })
  await client.connect()
  return new RedisStore({ client })
}

async function served(app: FastifyInstance): Promise<FastifyInstance['server']> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
}

async function bareFastify(): Promise<FastifyInstance['server']> {
  const { default: fastify } = await import('fastify')
  const app = fastify()
  app.get('/read', async () => ANSWER)
  return served(app)
}

async function fastifySession(redisUrl: string): Promise<FastifyInstance['server']> {
  const { default: fastify } = await import('fastify')
  const { default: fastifyCookie } = await import('@fastify/cookie')
  const { default: fastifySession } = await import('@fastify/session')
  const app = fastify()
  await app.register(fastifyCookie)
  await app.register(fastifySession, {
    store: (await connectRedis(redisUrl)) as never,
    secret: 'a secret of at least thirty-two characters',
    saveUninitialized: false,
    cookie: { secure: false, maxAge: 1_800_000 },
  })
  const dataOf = (req: object) => (req as { session: Record<string, unknown> }).session
  app.post('/login', async (req) => {
    await req.session.regenerate()
    dataOf(req).user = `user-${count++}`
    return {}
  })
  app.get('/read', async (req) => (dataOf(req).user === undefined ? null : ANSWER))
  app.get('/write', async (req) => {
    dataOf(req).n = count++
    return ANSWER
  })
  return served(app)
}

/** What the CPU bench compares. A peer is measured against the bare answer of its own framework. */
export const variants: Variants<ServerVariant> = {
  'bare Express 5': { serve: bareExpress, requests: bare },
  'read: @scale/session': { serve: ours, requests: ofUsers('/read') },
  'read: express-session + connect-redis': { serve: expressSession, requests: ofUsers('/read') },
  'write: @scale/session': { serve: ours, requests: ofUsers('/write') },
  'write: express-session + connect-redis': { serve: expressSession, requests: ofUsers('/write') },
  'bare Fastify': { serve: bareFastify, requests: bare, against: 'bare Fastify' },
  'read: @fastify/session + connect-redis': {
    serve: fastifySession,
    requests: ofUsers('/read'),
    against: 'bare Fastify',
  },
  'write: @fastify/session + connect-redis': {
    serve: fastifySession,
    requests: ofUsers('/write'),
    against: 'bare Fastify',
  },
}
