import { errorHandler } from '@scale/errors'
import { rateLimit } from '@scale/rate-limit'
import { createRedis, whenReady } from '@scale/redis'
import express from 'express'

export const redis = createRedis(process.env.REDIS_URL)
const app = express()
app.set('trust proxy', 1)
app.use(
  rateLimit({
    redis,
    policies: [{ name: 'minute', quota: 3, windowMs: 60_000 }],
    headers: 'draft-7',
  }),
)
app.get('/', (_req, res) => {
  res.json({ hello: 'world' })
})
app.use(errorHandler())

await whenReady(redis, 10_000)
export const server = app.listen(process.env.PORT ?? 3000)
