import type { AddressInfo } from 'node:net'
import { RedisStore } from 'connect-redis'
import express, { type Request, type RequestHandler } from 'express'
// @ts-expect-error its types declare `req.session`, as ours do
import expressSession from 'express-session'
import { createClient } from 'redis'
import { ready, redisPort, work } from './contestant.js'

interface PeerSession extends Record<string, unknown> {
  cookie: unknown
  user?: string
  regenerate(done: (error?: unknown) => void): void
  destroy(done: (error?: unknown) => void): void
}

const client = createClient({ url: `redis://127.0.0.1:${redisPort}` })
await client.connect()

const sessionOf = (req: Request): PeerSession => req.session as unknown as PeerSession
const app = express()
app.use(
  expressSession({
    store: new RedisStore({ client, prefix: 'peer-es:' }),
    secret: 'a secret of at least thirty-two characters',
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 1_800_000 },
  }) as RequestHandler,
)
app.post('/login', (req, res, next) => {
  sessionOf(req).regenerate((error) => {
    if (error) return next(error)
    sessionOf(req).user = 'ann'
    res.json({})
  })
})
app.post('/set/:key', async (req, res) => {
  sessionOf(req)[req.params.key] = 1
  await work()
  res.json({})
})
app.post('/logout', (req, res, next) => {
  sessionOf(req).destroy((error) => (error ? next(error) : res.json({})))
})
app.get('/keys', (req, res) => {
  const { cookie: _, user = null, ...rest } = sessionOf(req)
  res.json({ user, keys: Object.keys(rest) })
})
const server = app.listen(0, '127.0.0.1', () => ready((server.address() as AddressInfo).port))
