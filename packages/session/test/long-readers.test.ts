import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Server } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cookie, type Session, type Sessions, session } from '../src/index.js'
import { redisStore } from '../src/stores/redis.js'
import { Browser } from './compatibility/browser.js'
import { useRedis } from './redis.js'

// Who has opened a session with a token that is renewed meanwhile goes on with it: a socket, an upload.

type Data = Record<string, unknown>

const HOUR = 3_600_000
const redis = useRedis()
let nowMs: number
let sessions: Sessions<Data>
let url: string
let browser: Browser
let close: () => Promise<void>
let upload: { started(): void; arrival: Promise<void> } | undefined

beforeEach(async () => {
  nowMs = 1_800_000_000_000
  upload = undefined
  sessions = session<Data>({
    store: redisStore({ redis: redis.client, clock: () => nowMs }),
    transport: cookie({ secure: false }),
    idleTimeoutMs: 20 * HOUR,
    absoluteTimeoutMs: 200 * HOUR,
    onTokenReuse: 'revoke',
  })
  const app = express().use(sessions)
  app.post('/login', async (req, res) => {
    await req.session.login('ann')
    res.json({})
  })
  app.post('/elevate', async (req, res) => {
    await req.session.elevate()
    res.json({})
  })
  app.post('/logout', async (req, res) => {
    await req.session.destroy()
    res.json({})
  })
  app.post('/upload', async (req, res) => {
    upload!.started()
    await upload!.arrival
    sessions.get(req).data.uploaded = true
    res.json({})
  })
  app.get('/', (req, res) => {
    res.json({ user: req.session.userId ?? null, data: req.session.data })
  })
  const server = createServer(app)
  const sockets = new Server(server)
  sockets.engine.use(sessions)
  sockets.on('connection', async (socket) => {
    const own: Record<string, Session<Data>> = {
      middleware: sessions.get(socket.request),
      load: await sessions.load(socket.request.headers),
    }
    socket.on('write', async (which: string, name: string, answer) => {
      const session = own[which]!
      session.data[name] = 1
      await session.save().then(
        () => answer('stored'),
        (error) => answer(error.code),
      )
    })
    socket.on('read', async (which: string, answer) => {
      await own[which]!.reload().then(
        () => answer(own[which]!.data),
        (error) => answer(error.code),
      )
    })
    socket.on('rotate', async (which: string, verb: 'renew' | 'elevate', answer) => {
      await own[which]![verb]().then(
        () => answer('rotated'),
        (error) => answer(error.code),
      )
    })
    socket.emit('opened')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  close = () => sockets.close()
  browser = new Browser()
  await browser.go(`${url}/login`, { method: 'POST' })
})
afterEach(() => close())

const look = async (): Promise<{ user: string | null; data: Data }> =>
  JSON.parse((await browser.go(url)).body)

async function open(): Promise<Socket> {
  const extraHeaders = { cookie: await browser.jar.getCookieString(url) }
  const socket = io(url, { transports: ['websocket'], extraHeaders, forceNew: true, reconnection: false })
  await new Promise<void>((resolve, reject) => {
    socket.once('opened', resolve)
    socket.once('connect_error', reject)
  })
  return socket
}

/** The browser gets a new cookie, and uses it; what it replaced is over. */
async function renewed(): Promise<void> {
  const before = await browser.jar.getCookieString(url)
  nowMs += HOUR
  await look()
  expect(await browser.jar.getCookieString(url)).not.toBe(before)
  await look()
  nowMs += 10_000
}

describe('a socket', () => {
  it.each(['middleware', 'load'])('reads and writes after renewals, by %s', async (which) => {
    const socket = await open()
    for (const name of ['a', 'b', 'c']) {
      await renewed()
      expect(await socket.emitWithAck('write', which, name)).toBe('stored')
      expect((await look()).data).toHaveProperty(name, 1)
      expect(await socket.emitWithAck('read', which)).toEqual((await look()).data)
    }
    expect(await look()).toEqual({ user: 'ann', data: { a: 1, b: 1, c: 1 } })
    socket.disconnect()
  })
  it('makes no new token for one that is over', async () => {
    const socket = await open()
    await renewed()
    expect(await socket.emitWithAck('rotate', 'load', 'renew')).toBe('ERR_SCALE_SESSION_ENDED')
    expect(await socket.emitWithAck('rotate', 'load', 'elevate')).toBe('ERR_SCALE_SESSION_ENDED')
    nowMs += HOUR
    await look()
    expect(await socket.emitWithAck('rotate', 'load', 'renew')).toBe('ERR_SCALE_SESSION_ENDED')
    expect((await look()).user).toBe('ann')
    socket.disconnect()
  })
  it.each(['elevate', 'logout'])('is out after %s', async (path) => {
    const socket = await open()
    await renewed()
    await browser.go(`${url}/${path}`, { method: 'POST' })
    expect(await socket.emitWithAck('write', 'load', 'a')).toBe('ERR_SCALE_SESSION_ENDED')
    expect(await socket.emitWithAck('read', 'middleware')).toBe('ERR_SCALE_SESSION_ENDED')
    expect(await look()).toEqual({ user: path === 'logout' ? null : 'ann', data: {} })
    socket.disconnect()
  })
})

it('an upload that began before a renewal and ends after its grace is stored', async () => {
  const { promise: arrival, resolve: arrive } = deferred()
  const { promise: start, resolve: started } = deferred()
  upload = { started, arrival }
  const headers = { cookie: await browser.jar.getCookieString(url) }
  const sent = fetch(`${url}/upload`, { method: 'POST', headers })
  await start
  await renewed()
  arrive()
  expect((await sent).status).toBe(200)
  expect(await look()).toEqual({ user: 'ann', data: { uploaded: true } })
})

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
