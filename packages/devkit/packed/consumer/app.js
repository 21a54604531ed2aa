// An app of a stranger, with every package once. It is run as an ES module and, its imports turned into `require`, as
// CommonJS; and it is TypeScript as well: what the packages say of their types must carry it.
import { createCache } from '@scale/cache'
import { runCluster } from '@scale/cluster'
import { compose, ScaleError } from '@scale/core'
import { errorHandler, notFound } from '@scale/errors'
import { rateLimit } from '@scale/rate-limit'
import { createRedis, whenReady } from '@scale/redis'
import { bearer, requireSession, session } from '@scale/session'
import { validate } from '@scale/validate'
import express from 'express'
import { z } from 'zod'

// Patient, because it runs where everything else is tested at the same time.
const redis = createRedis(process.env.REDIS_URL, { guard: { deadlineMs: 5_000 } })
const sessions = session({ redis, transport: bearer() })
const limiter = rateLimit({ redis, policies: [{ name: 'profile', quota: 3, windowMs: 60_000 }] })
const cache = createCache({ redis, ttlMs: 60_000 })
let lookups = 0

const app = express()
app.use(express.json())

app.post('/login', sessions, validate({ body: z.object({ name: z.string().min(2) }) }), (req, res, next) => {
  const { name } = req.valid.body
  req.session.login(name.toLowerCase()).then(({ token }) => {
    res.status(201).json({ token })
  }, next)
})

app.get('/profile', compose(sessions, requireSession(), limiter), (req, res, next) => {
  const userId = req.session.userId ?? ''
  cache
    .getOrSet(`profile:${userId}`, async () => ({ userId, lookups: ++lookups }))
    .then((profile) => {
      res.json(profile)
    }, next)
})

app.get('/teapot', (_req, _res, next) => {
  next(new ScaleError('Short and stout.', { code: 'ERR_SCALE_TEAPOT', status: 418 }))
})

app.use(notFound(), errorHandler())

runCluster({
  workers: 1,
  start: async () => {
    await whenReady(redis, 10_000)
    const server = app.listen(0, '127.0.0.1', () => {
      console.log(JSON.stringify(server.address()))
    })
    return server
  },
})
