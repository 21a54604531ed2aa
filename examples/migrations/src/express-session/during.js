import { createRedis, whenReady } from '@scale/redis'
import { connectRedis, requireSession, session } from '@scale/session'
import express from 'express'

export const redis = createRedis(process.env.REDIS_URL)
const app = express()
app.use(
  session({
    redis,
    migrateFrom: connectRedis({
      redis,
      secrets: process.env.SESSION_SECRET,
      userIdOf: (data) => data.user,
      // Until no copy of the old app is left, and none will come back:
      shared: { withUserId: (data, user) => ({ ...data, user }), cookie: { secure: false } },
    }),
  }),
)

app.post('/login/:user', async (req, res) => {
  await req.session.login(req.params.user)
  res.json({})
})
app.post('/cart/:item', (req, res) => {
  req.session.cart = [...(req.session.cart ?? []), req.params.item]
  res.json(req.session.cart)
})
app.get('/me', requireSession(), (req, res) => {
  res.json({ user: req.session.userId, cart: req.session.cart ?? [] })
})
app.post('/logout', async (req, res) => {
  await req.session.destroy()
  res.json({})
})

await whenReady(redis, 10_000)
export const server = app.listen(process.env.PORT ?? 3000)
