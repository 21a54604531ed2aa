import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FaultProxy, type RedisServer, startFaultProxy } from '../../src/testing/index.js'
import { until } from './processes.js'

let redis: RedisServer
let proxy: FaultProxy
const clients: Client[] = []

beforeAll(async () => {
  redis = await testRedis()
})
afterAll(() => redis.stop())
beforeEach(async () => {
  await redis.command('FLUSHALL')
  proxy = await startFaultProxy({ target: redis })
})
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy()
  await proxy.close()
})

/** A raw client that keeps what it was told. */
interface Client {
  socket: Socket
  received: string
  ended: boolean
  closed: boolean
  error: NodeJS.ErrnoException | undefined
  /** When the last bytes came. */
  receivedAt: number
}

async function client(): Promise<Client> {
  const socket = connect({ port: proxy.port, host: proxy.host, noDelay: true, allowHalfOpen: true })
  const state: Client = { socket, received: '', ended: false, closed: false, error: undefined, receivedAt: 0 }
  clients.push(state)
  socket.on('data', (data) => {
    state.received += data
    state.receivedAt = performance.now()
  })
  socket.on('end', () => {
    state.ended = true
  })
  socket.on('close', () => {
    state.closed = true
  })
  socket.on('error', (error) => {
    state.error = error
  })
  await once(socket, 'connect')
  return state
}

const PONG = '+PONG\r\n'

async function ping(of: Client): Promise<void> {
  const before = of.received.length
  of.socket.write('PING\r\n')
  await until(() => of.received.length === before + PONG.length)
}

describe('without faults', () => {
  it('forwards both ways and counts', async () => {
    const one = await client()
    const two = await client()
    await ping(one)
    await ping(two)
    expect(one.received).toBe(PONG)
    expect(proxy).toMatchObject({ connections: 2, openConnections: 2, bytesToTarget: 12, bytesToClient: 14 })
    one.socket.end()
    await until(() => one.closed && proxy.openConnections === 1)
    expect(proxy.connections).toBe(2)
  })

  it('carries a large value whole, whoever is slower', async () => {
    const value = 'x'.repeat(8 * 1_024 * 1_024)
    await redis.command('SET', 'large', value)
    const slow = await client()
    slow.socket.pause()
    slow.socket.write('GET large\r\n')
    await until(() => proxy.bytesToClient > 0)
    slow.socket.resume()
    const head = `$${value.length}\r\n`
    await until(() => slow.received.length === head.length + value.length + 2)
    expect(slow.received === `${head}${value}\r\n`).toBe(true)
  })

  it('forwards the end of a connection', async () => {
    const quitting = await client()
    quitting.socket.write('QUIT\r\n')
    await until(() => quitting.ended)
    expect(quitting.received).toBe('+OK\r\n')
  })

  it('resets a client when the target is not there', async () => {
    const orphan = await startFaultProxy({ target: { host: '127.0.0.1', port: proxy.port } })
    await proxy.close()
    const socket = connect(orphan.port, orphan.host)
    const [error] = await once(socket, 'error')
    expect(error.code).toBe('ECONNRESET')
    await orphan.close()
  })
})

describe('latencyMs', () => {
  it('delays each direction by as much, and keeps the order', async () => {
    const late = await client()
    await ping(late)
    await proxy.set({ latencyMs: 60 })
    const sentAt = performance.now()
    for (let i = 0; i < 50; i++) late.socket.write(`ECHO ${String(i).padStart(2, '0')}\r\n`)
    const echoes = Array.from({ length: 50 }, (_, i) => `$2\r\n${String(i).padStart(2, '0')}\r\n`).join('')
    await until(() => late.received.length >= PONG.length + echoes.length)
    expect(late.received).toBe(PONG + echoes)
    expect(late.receivedAt - sentAt).toBeGreaterThanOrEqual(120)
  })

  it('lets go of what is under way when it is cleared', async () => {
    const late = await client()
    await proxy.set({ latencyMs: 3_600_000 })
    late.socket.write('PING\r\n')
    await sleep(50)
    expect(late.received).toBe('')
    await proxy.clear()
    await until(() => late.received === PONG)
  })

  it('still carries what a client sent before it hung up', async () => {
    const leaving = await client()
    await proxy.set({ latencyMs: 50 })
    leaving.socket.write('SET left behind\r\n')
    leaving.socket.destroy()
    await until(async () => (await redis.command('GET', 'left')) === 'behind')
  })
})

describe('bandwidthBytesPerSecond', () => {
  it('makes a large reply take its time', async () => {
    await redis.command('SET', 'large', 'x'.repeat(20_000))
    const slow = await client()
    await proxy.set({ bandwidthBytesPerSecond: 100_000 })
    const sentAt = performance.now()
    slow.socket.write('GET large\r\n')
    await until(() => slow.received.length > 0)
    expect(slow.received.length).toBeLessThan(20_000)
    await until(() => slow.received.length === 20_010)
    // 20,010 bytes of reply and 11 of request at 100 bytes a millisecond.
    expect(slow.receivedAt - sentAt).toBeGreaterThanOrEqual(200)
  })
})

describe('blackHole', () => {
  it('accepts, reads and gives nothing, on old connections and new ones', async () => {
    const old = await client()
    await ping(old)
    await proxy.set({ blackHole: true })
    const young = await client()
    for (const each of [old, young]) each.socket.write('SET swallowed 1\r\n')
    await until(() => old.socket.bytesWritten > 6 && young.socket.writableLength === 0)
    await sleep(100)
    expect(old.received).toBe(PONG)
    expect(young).toMatchObject({ received: '', ended: false, closed: false })
    expect(proxy).toMatchObject({ bytesToTarget: 6, bytesToClient: 7 })
    expect(await redis.command('EXISTS', 'swallowed')).toBe(0)
  })

  it('swallows what is under way, and the news that the target died', async () => {
    const waiting = await client()
    await ping(waiting)
    await proxy.set({ holdReplies: true })
    waiting.socket.write('SET key 1\r\n')
    await until(async () => (await redis.command('EXISTS', 'key')) === 1)
    await proxy.set({ blackHole: true })
    await redis.restart()
    await proxy.clear()
    await sleep(100)
    expect(waiting).toMatchObject({ received: PONG, ended: false, closed: false })
  })

  it('when over, new connections work and those that lost something stay silent', async () => {
    const old = await client()
    const idle = await client()
    await ping(idle)
    await proxy.set({ blackHole: true })
    old.socket.write('PING\r\n')
    await sleep(50)
    await proxy.clear()
    await ping(await client())
    await ping(idle)
    old.socket.write('PING\r\n')
    await sleep(50)
    expect(old).toMatchObject({ received: '', closed: false })
  })
})

describe('holdReplies', () => {
  it('lets the write happen and keeps the answer back', async () => {
    const writer = await client()
    await proxy.set({ holdReplies: true })
    writer.socket.write('INCR counter\r\n')
    await until(async () => (await redis.command('GET', 'counter')) === '1')
    expect(writer.received).toBe('')
    await proxy.clear()
    await until(() => writer.received === ':1\r\n')
  })
})

describe('refuse', () => {
  it('refuses new connections, leaves open ones alone, and ends', async () => {
    const open = await client()
    await proxy.set({ refuse: true })
    await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await ping(open)
    await proxy.set({ refuse: false })
    await ping(await client())
  })
})

describe('reset', () => {
  it('gives ECONNRESET to all that are connected; others may come', async () => {
    const two = [await client(), await client()]
    for (const each of two) await ping(each)
    proxy.reset()
    await until(() => two.every((each) => each.closed))
    expect(two.map((each) => each.error?.code)).toEqual(['ECONNRESET', 'ECONNRESET'])
    await ping(await client())
  })
})

describe('halfOpen', () => {
  it('takes the target away and tells the client nothing', async () => {
    const left = await client()
    await ping(left)
    const connectedTo = async () =>
      /connected_clients:(\d+)/.exec(`${await redis.command('INFO', 'clients')}`)?.[1]
    expect(await connectedTo()).toBe('2')
    proxy.halfOpen()
    // The one that asks is left.
    await until(async () => (await connectedTo()) === '1')
    left.socket.write('PING\r\n')
    await sleep(100)
    expect(left).toMatchObject({ received: PONG, ended: false, closed: false, error: undefined })
    await ping(await client())
  })
})

it('refuses faults that it does not know, or out of range, and keeps what it has', async () => {
  await proxy.set({ latencyMs: 5 })
  // @ts-expect-error a typo
  await expect(proxy.set({ latency: 5 })).rejects.toThrow(/Did you mean `latencyMs`/)
  await expect(proxy.set({ latencyMs: -1 })).rejects.toThrow(/`latencyMs` must be/)
  await expect(proxy.set({ bandwidthBytesPerSecond: 0 })).rejects.toThrow(/at least 1/)
  expect(proxy.faults.latencyMs).toBe(5)
})

it('listens no more when closed, and ends what is open', async () => {
  const open = await client()
  await proxy.close()
  await until(() => open.closed)
  await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})
