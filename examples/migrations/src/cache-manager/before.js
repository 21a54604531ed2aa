import { createKeyv } from '@keyv/redis'
import { createCache } from 'cache-manager'
import express from 'express'

const cache = createCache({ stores: [createKeyv(process.env.REDIS_URL)], ttl: 60_000 })
export const close = () => cache.disconnect()

let loads = 0
async function profileOf(id) {
  loads++
  return { id, loads }
}

const app = express()
app.get('/profiles/:id', async (req, res) => {
  const { id } = req.params
  res.json(await cache.wrap(`profile:${id}`, () => profileOf(id)))
})
app.post('/profiles/:id', async (req, res) => {
  await cache.del(`profile:${req.params.id}`)
  res.json({})
})

export const server = app.listen(process.env.PORT ?? 3000)
