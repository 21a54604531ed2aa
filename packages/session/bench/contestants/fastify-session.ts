import type { AddressInfo } from 'node:net'
import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { RedisStore } from 'connect-redis'
import fastify, { type FastifyRequest } from 'fastify'
import { createClient } from 'redis'
import { ready, redisPort, work } from './contestant.js'

const client = createClient({ url: `redis://127.0.0.1:${redisPort}` })
await client.connect()

const app = fastify()
await app.register(fastifyCookie)
await app.register(fastifySession, {
  store: new RedisStore({ client, prefix: 'peer-fs:' }) as never,
  secret: 'a secret of at least thirty-two characters',
  saveUninitialized: false,
  cookie: { secure: false, maxAge: 1_800_000 },
})

const dataOf = (req: FastifyRequest): Record<string, unknown> =>
  req.session as unknown as Record<string, unknown>
app.post('/login', async (req) => {
  await req.session.regenerate()
  dataOf(req).user = 'ann'
  return {}
})
app.post<{ Params: { key: string } }>('/set/:key', async (req) => {
  dataOf(req)[req.params.key] = 1
  await work()
  return {}
})
app.post('/logout', async (req) => {
  await req.session.destroy()
  return {}
})
app.get('/keys', async (req) => {
  const { cookie: _, user = null, ...rest } = dataOf(req)
  return { user, keys: Object.keys(rest).filter((key) => key.startsWith('k')) }
})
await app.listen({ port: 0, host: '127.0.0.1' })
ready((app.server.address() as AddressInfo).port)
