import { errorHandler } from '@scale/errors'
import { address, rateLimit } from '@scale/rate-limit'
import { createRedis, whenReady } from '@scale/redis'
import express from 'express'

export const redis = createRedis(process.env.REDIS_URL)
const limiter = rateLimit({ redis, policies: [{ name: 'minute', quota: 3, windowMs: 60_000 }] })
const app = express()

app.use((req, res, next) => {
  limiter(req, res, async (error) => {
    // As `blockDuration`: who was refused once waits for two minutes.
    if (error?.status === 429) await limiter.penalize(address(req), { blockMs: 120_000 })
    next(error)
  })
})
app.get('/', (_req, res) => {
  res.json({ hello: 'world' })
})
app.use(errorHandler())

await whenReady(redis, 10_000)
export const server = app.listen(process.env.PORT ?? 3000)
