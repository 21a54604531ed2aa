import { createCache } from '@scale/cache'
import { createRedis, whenReady } from '@scale/redis'
import express from 'express'

export const redis = createRedis(process.env.REDIS_URL)
const cache = createCache({ redis, ttlMs: 60_000 })

let loads = 0
async function profileOf(id) {
  loads++
  return { id, loads }
}

const app = express()
app.get('/profiles/:id', async (req, res) => {
  const { id } = req.params
  res.json(await cache.getOrSet(`profile:${id}`, () => profileOf(id)))
})
app.post('/profiles/:id', async (req, res) => {
  await cache.delete(`profile:${req.params.id}`)
  res.json({})
})

await whenReady(redis, 10_000)
export const server = app.listen(process.env.PORT ?? 3000)
