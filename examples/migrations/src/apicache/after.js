import { createCache } from '@scale/cache'
import { createRedis, whenReady } from '@scale/redis'
import express from 'express'

export const redis = createRedis(process.env.REDIS_URL)
const cache = createCache({ redis })
let loads = 0
const app = express()

app.get('/catalogue', cache.http({ ttlMs: 60_000, tags: ['catalogue'] }), (_req, res) => {
  loads++
  res.json({ tea: 3, loads })
})
app.post('/catalogue', async (_req, res) => {
  await cache.invalidateTags(['catalogue'])
  res.json({})
})

await whenReady(redis, 10_000)
export const server = app.listen(process.env.PORT ?? 3000)
