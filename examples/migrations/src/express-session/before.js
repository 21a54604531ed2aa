import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'

export const redis = await createClient({ url: process.env.REDIS_URL }).connect()
const app = express()
app.use(
  session({
    store: new RedisStore({ client: redis }),
    secret: process.env.SESSION_SECRET,
    resave: false,
    saveUninitialized: false,
  }),
)

app.post('/login/:user', (req, res, next) => {
  const { cart } = req.session
  req.session.regenerate((error) => {
    if (error) return next(error)
    Object.assign(req.session, { user: req.params.user, cart })
    res.json({})
  })
})
app.post('/cart/:item', (req, res) => {
  req.session.cart = [...(req.session.cart ?? []), req.params.item]
  res.json(req.session.cart)
})
app.get('/me', (req, res) => {
  if (req.session.user === undefined) return res.sendStatus(401)
  res.json({ user: req.session.user, cart: req.session.cart ?? [] })
})
app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => (error ? next(error) : res.json({})))
})

export const server = app.listen(process.env.PORT ?? 3000)
