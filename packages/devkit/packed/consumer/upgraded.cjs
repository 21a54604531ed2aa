// What two versions of an app must agree on: sessions and quotas in one Redis. `node upgraded.cjs [token]`
const express = require('express')
const { createRedis } = require('@scale/redis')
const { session, bearer, requireSession } = require('@scale/session')
const { rateLimit, user } = require('@scale/rate-limit')
const { errorHandler } = require('@scale/errors')

const redis = createRedis(process.env.REDIS_URL)
const sessions = session({ redis, transport: bearer() })
const policies = [{ name: 'reads', quota: 10, windowMs: 3_600_000 }]
const reads = rateLimit({ redis, policies, partitionKey: (req) => user(req.session.userId) })
const app = express()
app.post('/login', sessions, async (req, res) => res.json(await req.session.login('ada')))
app.get('/', sessions, requireSession(), reads, (req, res) => res.json({ userId: req.session.userId }))
app.use(errorHandler())

const server = app.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}`
  const token = process.argv[2] ?? (await (await fetch(`${url}/login`, { method: 'POST' })).json()).token
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
  const remaining = Number(/;r=(\d+)/.exec(answer.headers.get('ratelimit') ?? '')?.[1])
  console.log(JSON.stringify({ token, status: answer.status, body: await answer.json(), remaining }))
  process.exit()
})
