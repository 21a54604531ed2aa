import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { createRedis, whenReady } from '@scale/redis'
import { requireSession, session } from '@scale/session'
import express from 'express'

export const redis = createRedis(process.env.REDIS_URL)
const secret = process.env.SESSION_SECRET

/** The cookies `session` and `session.sig`, as cookie-session signs them, if they are genuine. */
function find({ cookie = '' }) {
  const partOf = (name) => new RegExp(`(?:^|; *)${name.replace('.', '\\.')}=([^;]*)`).exec(cookie)?.[1] ?? ''
  const value = partOf('session')
  const wanted = createHmac('sha1', secret).update(`session=${value}`).digest()
  const given = Buffer.from(partOf('session.sig'), 'base64url')
  const isGenuine = given.length === wanted.length && timingSafeEqual(given, wanted)
  return isGenuine ? { sid: value, secret } : undefined
}

/** The whole session is in the cookie; what Redis remembers is that it was taken over, so that a logout is one. */
const placeOf = (sid) => `moved:${createHash('sha256').update(sid).digest('base64url')}`

const cookieSessions = {
  find,
  async read({ sid }) {
    const movedTo = await redis.get(placeOf(sid))
    if (movedTo !== null) return { movedTo }
    const data = JSON.parse(Buffer.from(sid, 'base64').toString())
    return { data, userId: data.user }
  },
  async moved({ sid }, to, ttlMs) {
    return (await redis.set(placeOf(sid), to, 'PX', ttlMs, 'NX')) === 'OK'
  },
}

const app = express()
app.use(session({ redis, migrateFrom: cookieSessions }))

app.post('/login/:user', async (req, res) => {
  await req.session.login(req.params.user)
  res.json({})
})
app.get('/me', requireSession(), (req, res) => {
  res.json({ user: req.session.userId })
})
app.post('/logout', async (req, res) => {
  await req.session.destroy()
  res.json({})
})

await whenReady(redis, 10_000)
export const server = app.listen(process.env.PORT ?? 3000)
