import { EventEmitter } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, it } from 'vitest'
import { connectRedis, session } from '../../src/index.js'
import { useRedis } from '../redis.js'
import { Browser } from './browser.js'
import { type AnyRequest, SECRET, stackNames, useStacks } from './stacks.js'

const redis = useRedis()
const stack = useStacks(redis)

it('a WebSocket handshake, by which no cookie can be sent, leaves the session of another package as it is', async () => {
  const browser = new Browser()
  const server = createServer(
    express()
      .use(stack('express-session with connect-redis'))
      .get('/', (req: AnyRequest, res) => {
        req.session.user = 'ann'
        res.json({})
      }),
  )
  const sockets = new Server(server)
  const migrateFrom = connectRedis({
    redis: redis.client,
    secrets: SECRET,
    userIdOf: ({ user }) => user as string,
  })
  const sessions = session({ redis: redis.client, migrateFrom })
  sockets.engine.use(sessions)
  sockets.on('connection', (socket) => {
    socket.emit('opened', sessions.get(socket.request as never).userId)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await browser.go(url)
  const [key] = await redis.client.keys('sess:*')
  const before = await redis.client.get(key!)
  const extraHeaders = { cookie: await browser.jar.getCookieString(url) }
  const socket = io(url, { transports: ['websocket'], extraHeaders, forceNew: true })
  expect(await new Promise((resolve) => socket.once('opened', resolve))).toBe('ann')
  expect(await redis.client.get(key!)).toBe(before)
  socket.disconnect()
  await sockets.close()
})

// As engine.io before 6.6 has it, and since.
it.each([
  ['an object', {}],
  ['an emitter', new EventEmitter()],
])('a response for a WebSocket that is only %s is left as it is', (_what, made) => {
  const res = Object.assign(made, { setHeader: () => {}, writeHead: () => {}, end: () => {} })
  const before = { ...res }
  const req = { headers: { cookie: '__Host-session=dead' } } as AnyRequest
  session({ redis: redis.client })(req, res as never, () => {})
  req.session.data.n = 1
  expect({ ...res }).toEqual(before)
})

describe.each(stackNames)('Socket.IO on %s', (name) => {
  it.each(['polling', 'websocket'])(
    'by %s: has the session of its handshake, and can write to it',
    async (transport) => {
      const sessions = stack(name)
      const app = express().use(sessions)
      app.post('/login', (req: AnyRequest, res) => {
        req.session.user = 'ann'
        res.json({})
      })
      app.get('/', (req: AnyRequest, res) => {
        res.json({ user: req.session.user ?? null, n: req.session.n ?? null })
      })
      const server = createServer(app)
      const sockets = new Server(server)
      sockets.engine.use(sessions)
      sockets.on('connection', (socket) => {
        const req = socket.request as AnyRequest
        socket.on('who', (answer) => answer(req.session.user ?? null))
        socket.on('count', (answer) => {
          req.session.reload((failure: unknown) => {
            if (failure) return answer(String(failure))
            req.session.n = (req.session.n ?? 0) + 1
            req.session.save((error: unknown) => answer(error ? String(error) : req.session.n))
          })
        })
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const browser = new Browser()
      await browser.go(`${url}/login`, { method: 'POST' })
      const connect = async (cookie: string) => {
        const socket = io(url, { transports: [transport], extraHeaders: { cookie }, forceNew: true })
        await new Promise<void>((resolve, reject) => {
          socket.once('connect', resolve)
          socket.once('connect_error', reject)
        })
        return socket
      }
      const ann = await connect(await browser.jar.getCookieString(url))
      expect(await ann.emitWithAck('who')).toBe('ann')
      expect(await ann.emitWithAck('count')).toBe(1)
      expect(await ann.emitWithAck('count')).toBe(2)
      expect(JSON.parse((await browser.go(url)).body)).toEqual({ user: 'ann', n: 2 })
      const nobody = await connect('')
      expect(await nobody.emitWithAck('who')).toBeNull()
      const broken = await connect('__Host-session=x; session=x; connect.sid=x')
      expect(await broken.emitWithAck('who')).toBeNull()
      for (const socket of [ann, nobody, broken]) socket.disconnect()
      await sockets.close()
    },
  )
})
