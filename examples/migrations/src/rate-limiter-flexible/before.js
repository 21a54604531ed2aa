import express from 'express'
import { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'

export const redis = new Redis(process.env.REDIS_URL)
const limiter = new RateLimiterRedis({ storeClient: redis, points: 3, duration: 60, blockDuration: 120 })
const app = express()

app.use((req, res, next) => {
  limiter.consume(req.ip).then(
    () => next(),
    (refused) => {
      res.set('Retry-After', Math.ceil(refused.msBeforeNext / 1000)).sendStatus(429)
    },
  )
})
app.get('/', (_req, res) => {
  res.json({ hello: 'world' })
})

export const server = app.listen(process.env.PORT ?? 3000)
