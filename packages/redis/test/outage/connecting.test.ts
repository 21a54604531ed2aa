import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { findRedisServer, testRedis } from '@scale/devkit/redis-server'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRedis, type RedisClient, storeGuard, whenReady } from '../../src/index.js'
import { type RedisCluster, type RedisServer, startRedisCluster } from '../../src/testing/index.js'
import { eventually, outcomeOf, PATIENT } from './traffic.js'

/** Accepts, and hands on to a target, to several in turn, or to nobody: then it says nothing, as a hung host does. */
class Front {
  targets: number[]
  isMute = false
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #turn = 0

  constructor(...targets: number[]) {
    this.targets = targets
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
      if (this.isMute) {
        socket.resume()
        return
      }
      const port = this.targets[this.#turn++ % this.targets.length]!
      const target = connect(port, '127.0.0.1')
      target.on('error', () => socket.destroy())
      socket.on('close', () => target.destroy())
      target.on('close', () => socket.destroy())
      socket.pipe(target).pipe(socket)
    })
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  reset(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.reset()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

describe('a Cluster, however it is named', () => {
  let cluster: RedisCluster
  let service: Front
  let servicePort: number
  beforeAll(async () => {
    cluster = await startRedisCluster(await findRedisServer())
    service = new Front(...cluster.nodes.map(({ port }) => port))
    servicePort = await service.listen()
  })
  afterAll(async () => {
    await service.close()
    await cluster.stop()
  })

  const ways: [string, () => number[]][] = [
    ['all nodes', () => cluster.nodes.map(({ port }) => port)],
    ['one primary', () => [cluster.nodes[0]!.port]],
    ['one replica', () => [cluster.nodes[4]!.port]],
    ['one address of a service before all of them', () => [servicePort]],
    ['one that is dead and one that is not', () => [1, cluster.nodes[1]!.port]],
  ]
  it.each(ways)('by %s: is ready as soon as plain ioredis is, again and again', async (_, portsOf) => {
    const ports = portsOf()
    const times: { plain: number; ours: number }[] = []
    for (let round = 0; round < 5; round++) {
      const plain = new Cluster(ports.map((port) => ({ host: '127.0.0.1', port })))
      plain.on('error', () => {})
      const startedAt = performance.now()
      await once(plain, 'ready')
      const plainMs = performance.now() - startedAt
      plain.disconnect()
      const before = performance.now()
      const ours = createRedis(`redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`)
      expect(await whenReady(ours, 10_000)).toBe(true)
      times.push({ plain: plainMs, ours: performance.now() - before })
      expect(await outcomeOf(storeGuard(ours).call('get', ['key'], PATIENT))).toBe('ok')
      ours.disconnect()
    }
    const median = (all: number[]): number => all.sort((a, b) => a - b)[2]!
    // Where it started over, it took hundreds of milliseconds at least, and mostly seconds.
    expect(median(times.map(({ ours }) => ours))).toBeLessThan(
      2 * median(times.map(({ plain }) => plain)) + 100,
    )
  })
})

describe('a peer that accepts and says nothing', () => {
  let server: RedisServer
  let front: Front
  let port: number
  beforeAll(async () => {
    server = await testRedis()
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    front = new Front(server.port)
    port = await front.listen()
  })
  afterEach(() => front.close())

  // Scaled: five seconds by default.
  const guard = { reconnectAfterMs: 400, silenceMs: 100 }
  const options = { retryStrategy: () => 20, enableOfflineQueue: false, autoResendUnfulfilledCommands: false }
  const clients: [string, () => RedisClient & { disconnect(): void }][] = [
    ['createRedis', () => createRedis(`redis://127.0.0.1:${port}`, { guard, maxReconnectDelayMs: 20 })],
    ['ioredis 6', () => new Redis({ port, ...options })],
    ['ioredis 5', () => new Redis5({ port, ...options })],
    ['ioredis 6 without a ready check', () => new Redis({ port, ...options, enableReadyCheck: false })],
  ]

  it.each(clients)(
    'while %s connects for the first time: it heals when the network is well',
    async (name, make) => {
      front.isMute = true
      const client = make()
      if (name !== 'createRedis') client.on('error', () => {})
      const store = name === 'createRedis' ? storeGuard(client) : storeGuard(client, guard)
      await sleep(100)
      expect(await outcomeOf(store.call('get', ['key']))).not.toBe('ok')
      front.isMute = false
      await eventually(async () => expect(await outcomeOf(store.call('get', ['key']))).toBe('ok'))
      client.disconnect()
    },
  )

  it.each(clients)(
    'while %s connects anew, or is in use: it heals when the network is well',
    async (name, make) => {
      const client = make()
      if (name !== 'createRedis') client.on('error', () => {})
      const store = name === 'createRedis' ? storeGuard(client) : storeGuard(client, guard)
      await eventually(async () => expect(await outcomeOf(store.call('get', ['key']))).toBe('ok'))
      front.isMute = true
      front.reset()
      await sleep(100)
      front.isMute = false
      await eventually(async () => expect(await outcomeOf(store.call('get', ['key']))).toBe('ok'))
      client.disconnect()
    },
  )

  it('a server that loads its data says so, and is not cut for it', async () => {
    let connections = 0
    const fake = createServer((socket) => {
      connections++
      socket.on('error', () => socket.destroy())
      socket.on('data', (data) => {
        const text = 'loading:1\r\nloading_eta_seconds:1\r\n'
        for (const frame of String(data).split(/^\*/m).slice(1)) {
          socket.write(/\r\ninfo\r\n/i.test(frame) ? `$${text.length}\r\n${text}\r\n` : '+OK\r\n')
        }
      })
    })
    fake.listen(0, '127.0.0.1')
    await once(fake, 'listening')
    const client = new Redis({
      port: (fake.address() as AddressInfo).port,
      protocol: 2,
      maxLoadingRetryTime: 100,
    })
    client.on('error', () => {})
    storeGuard(client, guard)
    await sleep(1_500)
    expect(connections).toBe(1)
    client.disconnect()
    fake.close()
  })
})
