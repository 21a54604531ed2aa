import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, it } from 'vitest'
import { Browser } from './browser.js'
import { type AnyRequest, stackNames, useStacks } from './stacks.js'

const stack = useStacks()

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
