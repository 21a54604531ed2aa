import express from 'express'
import { rateLimit } from 'express-rate-limit'
import { RedisStore } from 'rate-limit-redis'
import { createClient } from 'redis'

export const redis = await createClient({ url: process.env.REDIS_URL }).connect()
const app = express()
app.set('trust proxy', 1)
app.use(
  rateLimit({
    windowMs: 60_000,
    limit: 3,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    store: new RedisStore({ sendCommand: (...args) => redis.sendCommand(args) }),
  }),
)
app.get('/', (_req, res) => {
  res.json({ hello: 'world' })
})

export const server = app.listen(process.env.PORT ?? 3000)
