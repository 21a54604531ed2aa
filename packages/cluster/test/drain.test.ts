import { once } from 'node:events'
import { Agent, createServer, get } from 'node:http'
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import express from 'express'
import express4 from 'express4'
import { describe, expect, test } from 'vitest'
import { drain, trackConnections } from '../src/index.js'

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('%s', (_, create) => {
  test('what is cut is named by its route, never by its URL', async () => {
    const app = create()
    const reached = new Promise<void>((resolve) => {
      const router = create.Router()
      router.get('/:id', () => resolve())
      app.use('/users', router)
    })
    const server = createServer(app)
    trackConnections(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const request = get({ port: (server.address() as AddressInfo).port, path: '/users/secret?token=secret' })
    const failed = once(request, 'error')
    await reached
    expect(trackConnections(server).inFlight).toBe(1)
    const { forced } = await drain(server, { lingerMs: 0, timeoutMs: 100 })
    expect(forced).toEqual([{ kind: 'request', route: 'GET /users/:id', ageMs: expect.any(Number) }])
    expect(await failed).toMatchObject([{ code: 'ECONNRESET' }])
  })
})

test('with nothing open it ends at once, and a second drain does no harm', async () => {
  const server = createServer()
  server.listen(0)
  await once(server, 'listening')
  const reports = await Promise.all([drain(server), drain([server])])
  for (const { forced, tookMs } of reports) {
    expect(forced).toEqual([])
    expect(tookMs).toBeLessThan(1_000)
  }
  await drain(server)
})

test('upgraded connections are told to go one after another, not all in one moment', async () => {
  const server = createServer()
  server.on('upgrade', (_req, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
  })
  trackConnections(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const clients = Array.from({ length: 120 }, () => connect(port, '127.0.0.1'))
  for (const client of clients)
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  await Promise.all(clients.map((client) => once(client, 'data')))
  const toldAt: number[] = []
  const { forced } = await drain(server, {
    lingerMs: 0,
    closeUpgraded: (socket) => {
      toldAt.push(performance.now())
      socket.end()
    },
  })
  expect(forced).toEqual([])
  expect(toldAt).toHaveLength(120)
  for (const [index, at] of toldAt.entries()) {
    const later = toldAt[index + 50]
    if (later !== undefined) expect(later - at).toBeGreaterThan(50)
  }
})

test('counts requests, and connections until they close', async () => {
  const server = createServer((_req, res) => res.end('ok'))
  const tracker = trackConnections(server)
  expect(trackConnections(server)).toBe(tracker)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  for (let n = 0; n < 3; n++) {
    const [response] = await once(get({ port, agent: false }), 'response')
    response.resume()
    await once(response, 'close')
  }
  expect(tracker.requests).toBe(3)
  await expect.poll(() => tracker.size).toBe(0)
  expect(tracker.inFlight).toBe(0)
  await drain(server)
})

/** Connects as often as it is told, says so, and then says how many were answered. */
const CLIENT = `
const { connect } = require('node:net')
const { parentPort, workerData: { port, count, connected } } = require('node:worker_threads')
let ended = 0
let answered = 0
for (let index = 0; index < count; index++) {
  const socket = connect({ port, host: '127.0.0.1' }, () => {
    if (Atomics.add(connected, 0, 1) === count - 1) Atomics.notify(connected, 0)
  })
  socket.once('data', () => answered++)
  socket.on('error', () => {})
  socket.once('close', () => ++ended === count && parentPort.postMessage(answered))
}`

test('all that waits to be accepted is, before a server stops listening', async () => {
  const count = 100
  const server = createNetServer((socket) => socket.end('here'))
  trackConnections(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const connected = new Int32Array(new SharedArrayBuffer(4))
  const { port } = server.address() as AddressInfo
  const client = new Worker(CLIENT, { eval: true, workerData: { port, count, connected } })
  const answered = once(client, 'message')
  // This thread accepts nothing meanwhile.
  for (let seen = 0; seen < count; seen = Atomics.load(connected, 0)) Atomics.wait(connected, 0, seen, 5_000)
  await drain(server, { lingerMs: 0 })
  expect(await answered).toEqual([count])
})

test('clients that go on sending are told to close one after another, and none is cut', async () => {
  const server = createServer((_req, res) => res.end('ok'))
  trackConnections(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const agents = Array.from({ length: 40 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  const ask = (agent: Agent): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      get({ port, host: '127.0.0.1', agent }, (res) =>
        res.resume().once('end', () => resolve(res.headers.connection)),
      ).once('error', reject)
    })
  await Promise.all(agents.map(ask))
  const from = performance.now()
  const drained = drain(server, { spreadMs: 2_000, lingerMs: 500 })
  const toldAt = await Promise.all(
    agents.map(async (agent) => {
      while ((await ask(agent)) !== 'close') await sleep(10)
      return performance.now() - from
    }),
  )
  toldAt.sort((one, other) => one - other)
  // Of 40 moments in two seconds, the middle twenty lie a second apart.
  expect(toldAt[30]! - toldAt[9]!).toBeGreaterThan(200)
  expect((await drained).forced).toEqual([])
  for (const agent of agents) agent.destroy()
})

test('an answer that was given to Node in one piece is not cut while its client still reads it', async () => {
  const bytes = 30_000_000
  const server = createServer((_req, res) => res.end(Buffer.alloc(bytes)))
  trackConnections(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const request = get({ port, host: '127.0.0.1', agent: false, headers: { connection: 'keep-alive' } })
  const [response] = await once(request, 'response')
  const drained = drain(server, { lingerMs: 0, spreadMs: 0 })
  // Several sweeps see a connection whose answer has ended for the app and not for the client.
  await sleep(500)
  let received = 0
  response.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  await once(response, 'end')
  expect(received).toBe(bytes)
  expect((await drained).forced).toEqual([])
})
