import type { AddressInfo } from 'node:net'
import { createRedis } from '@scale/redis'
import express, { type NextFunction, type Request, type Response } from 'express'
import { cookie, session } from '../../src/index.js'
import { ready, redisPort, work } from './contestant.js'

const redis = createRedis(`redis://127.0.0.1:${redisPort}`, { guard: { deadlineMs: 10_000 } })
const sessions = session<Record<string, unknown>>({ redis, transport: cookie({ secure: false }) })

const app = express()
app.use(sessions)
app.post('/login', async (req, res) => {
  await req.session.login('ann')
  res.json({})
})
app.post('/set/:key', async (req, res) => {
  sessions.get(req).data[req.params.key] = 1
  await work()
  res.json({})
})
app.post('/logout', async (req, res) => {
  await req.session.destroy()
  res.json({})
})
app.get('/keys', (req, res) => {
  res.json({ user: req.session.userId ?? null, keys: Object.keys(req.session.data) })
})
// A write that came too late is told so, and not printed.
app.use((error: { status?: number }, _req: Request, res: Response, _next: NextFunction) => {
  res.sendStatus(error.status ?? 500)
})
redis.once('ready', () => {
  const server = app.listen(0, '127.0.0.1', () => ready((server.address() as AddressInfo).port))
})
