import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { findRedisServer } from '@scale/devkit/redis-server'
import type { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  connectionError,
  connectionErrorChannel,
  createRedis,
  storeGuard,
  whenReady,
} from '../../src/index.js'
import { type RedisCluster, startRedisCluster } from '../../src/testing/index.js'
import { freePort } from '../../src/testing/ports.js'
import { type Certificate, certificateFor } from './certificates.js'
import { startTls } from './fronts.js'

let cluster: RedisCluster
let nobody: number

beforeAll(async () => {
  cluster = await startRedisCluster(await findRedisServer())
  nobody = await freePort()
})
afterAll(async () => {
  await cluster?.stop()
})

it('a mute seed is passed over', async () => {
  const mute = createServer(() => {})
  await new Promise<void>((resolve) => mute.listen(nobody, '127.0.0.1', resolve))
  const client = createRedis(`redis+cluster://127.0.0.1:${nobody},127.0.0.1:${cluster.nodes[1]!.port}`, {
    connectTimeoutMs: 200,
  })
  expect(await whenReady(client, 5_000)).toBe(true)
  client.disconnect()
  mute.close()
})

describe('over TLS, with certificates that name a host', () => {
  const host = 'redis.example.test'
  let certificate: Certificate
  let fronts: Awaited<ReturnType<typeof startTls>>[]
  const lookups = new Set<string>()
  const options = () => ({
    tls: { ca: certificate.cert },
    dnsLookup: (hostname: string, callback: (error: null, address: string) => void) => {
      lookups.add(hostname)
      callback(null, '127.0.0.1')
    },
    natMap: Object.fromEntries(
      cluster.nodes.map(({ port }, index) => [`127.0.0.1:${port}`, { host, port: fronts[index]!.port }]),
    ),
  })
  const url = () => `rediss+cluster://${host}:${fronts[0]!.port}`

  beforeAll(async () => {
    certificate = certificateFor(host)
    fronts = await Promise.all(cluster.nodes.map((node) => startTls(node, certificate)))
  })
  afterAll(() => {
    for (const front of fronts ?? []) front.close()
    certificate?.remove()
  })

  it('is ready, and the names are resolved by dnsLookup', async () => {
    const client = createRedis(url(), options())
    expect(await whenReady(client, 5_000)).toBe(true)
    expect(await storeGuard(client).call('get', ['a'], { deadlineMs: 5_000 })).toBe(null)
    expect(lookups).toEqual(new Set([host]))
    client.disconnect()
  })

  it('an authority that is not known is told as the cause', async () => {
    const client = createRedis(url(), { ...options(), tls: {} })
    expect(await whenReady(client, 500)).toBe(false)
    expect(connectionError(client)?.message).toMatch(/self-signed certificate/)
    await expect(storeGuard(client).call('get', ['a'])).rejects.toThrow(/not-ready.*self-signed certificate/)
    client.disconnect()
  })

  it('a host that the certificate does not name is told as the cause', async () => {
    const client = createRedis(`rediss+cluster://127.0.0.1:${fronts[0]!.port}`, options())
    expect(await whenReady(client, 500)).toBe(false)
    expect(connectionError(client)?.message).toMatch(/does not match certificate/)
    client.disconnect()
  })

  it('2,000 failed connections leave the process and nothing else behind', async () => {
    const failures: unknown[] = []
    const onFailure = (error: unknown) => failures.push(error)
    process.on('uncaughtExceptionMonitor', onFailure)
    let refused = 0
    const count = (): void => void refused++
    const stop = connectionErrorChannel.subscribe(count)
    const clients = Array.from({ length: 40 }, (_, index) =>
      createRedis(index % 2 === 0 ? url() : `rediss+cluster://127.0.0.1:${nobody}`, {
        ...options(),
        tls: {},
        maxReconnectDelayMs: 10,
      }),
    )
    await expect.poll(() => refused, { timeout: 50_000 }).toBeGreaterThan(2_000)
    for (const client of clients) client.disconnect()
    await sleep(500)
    stop()
    process.off('uncaughtExceptionMonitor', onFailure)
    expect(failures).toEqual([])
  }, 60_000)
})

it('a node that accepts and stays silent while it is connected to is given up', async () => {
  const [silent, seed] = cluster.nodes
  silent!.pause()
  const client = createRedis(`redis+cluster://127.0.0.1:${seed!.port}`, {
    // Scaled: five seconds by default.
    guard: { reconnectAfterMs: 300, silenceMs: 100 },
  }) as Cluster
  const closed = new Promise<void>((resolve) => {
    client.on('+node', (node: Redis) => {
      if (node.options.port === silent!.port) node.once('close', resolve)
    })
  })
  await expect.poll(() => client.status, { timeout: 5_000 }).toBe('ready')
  await closed
  silent!.resume()
  client.disconnect()
})
