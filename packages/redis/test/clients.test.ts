import { findRedisServer } from '@scale/devkit/redis-server'
import * as ioredis from 'ioredis'
import * as ioredis5 from 'ioredis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineScript, slotOf, storeGuard } from '../src/index.js'
import { type ClientServers, clientRows, startClientServers } from '../src/testing/index.js'

// What the guard promises, kept with every client that apps make; the other packages do the same with theirs.

let servers: ClientServers
const warnings: string[] = []
const onWarning = (warning: Error & { code?: string }): void => void warnings.push(String(warning.code))

beforeAll(async () => {
  process.on('warning', onWarning)
  servers = await startClientServers(await findRedisServer())
})
afterAll(async () => {
  process.off('warning', onWarning)
  await servers?.stop()
})

const rows = clientRows({ 'ioredis 5': ioredis5, 'ioredis 6': ioredis })
const echo = defineScript(
  'test.clients',
  "return { ARGV[1], redis.call('INCR', KEYS[1]), redis.call('GET', KEYS[2]) }",
)
const patience = 'long'
let keys = 0

describe.concurrent.each(rows)('$name', ({ connect }) => {
  it('replies are what the primary said: text or bytes, numbers as numbers', async () => {
    const { redis, ready, close } = connect(servers)
    const guard = storeGuard(redis)
    await ready()
    // On every node of a Cluster.
    const tags = Array.from({ length: 6 }, () => `{clients-${keys++}}`)
    const bytes = Buffer.from([0xff, 0x00, 0xfe])
    const all = tags.map((tag) =>
      Promise.all([
        guard.call('set', [`${tag}k`, '41'], { patience }),
        guard.run(echo, [`${tag}n`, `${tag}other`], [bytes], { patience, asBuffer: true }),
        guard.call('get', [`${tag}k`], { patience }),
        guard.call('get', [`${tag}k`], { patience, asBuffer: true }),
        guard.call('pttl', [`${tag}k`], { patience }),
        guard.call('zadd', [`${tag}z`, '1.5', 'm'], { patience }),
        guard.call('zscore', [`${tag}z`, 'm'], { patience }),
      ]),
    )
    const said = ['OK', [bytes, 1, null], '41', Buffer.from('41'), -1, 1, '1.5']
    expect(await Promise.all(all)).toEqual(tags.map(() => said))
    close()
  })
})

it('reads do not go to replicas, which may not have heard of the last write', async () => {
  for (const node of servers.cluster.nodes) {
    const isReplica = String(await node.command('ROLE')).startsWith('slave')
    const stats = String(await node.command('INFO', 'commandstats'))
    expect(/cmdstat_zscore/.test(stats)).toBe(!isReplica)
  }
})

it('the way through another network was taken', () => {
  for (const proxy of [servers.service, ...servers.mapped.slice(0, 3)]) {
    expect(proxy.bytesToTarget).toBeGreaterThan(0)
  }
})

it('one that repeats writes is warned of, also of a Cluster; a replica of a Cluster is nothing to warn of', () => {
  expect(new Set(warnings)).toEqual(new Set(['SCALE_REDIS_RESEND']))
  const repeating = rows.filter(({ name }) => !name.startsWith('createRedis'))
  expect(warnings).toHaveLength(repeating.length)
})

it('with a keyPrefix it is still the breaker of its own node that tells of a key', async () => {
  const { cluster } = servers
  const client = new ioredis.Cluster([{ host: '127.0.0.1', port: cluster.nodes[0]!.port }], {
    keyPrefix: 'app:',
    retryDelayOnFailover: 0,
  })
  client.on('error', () => {})
  const guard = storeGuard(client, { silenceMs: 100, reconnectAfterMs: 60_000 })
  await expect.poll(() => client.status, { timeout: 10_000 }).toBe('ready')
  const portOf = (key: string): number => Number(client.slots[slotOf(key)]?.[0]?.split(':')[1])
  const frozen = cluster.nodes[0]!
  const names = Array.from({ length: 500 }, (_, index) => `key-${'x'.repeat(index % 7)}${index}`)
  const here = names.find((key) => portOf(`app:${key}`) === frozen.port && portOf(key) !== frozen.port)!
  const other = names.find((key) => portOf(`app:${key}`) === portOf(here) && portOf(key) === portOf(here))!
  const elsewhere = names.find((key) => portOf(`app:${key}`) !== frozen.port && portOf(key) === frozen.port)!
  const get = (key: string) => guard.call('get', [key], { patience })
  await expect
    .poll(() => Promise.all([here, other, elsewhere].map(get)), { timeout: 10_000 })
    .toEqual([null, null, null])
  frozen.pause()
  await expect(get(here)).rejects.toMatchObject({ reason: 'timeout' })
  expect([here, other, elsewhere].map((key) => guard.state(key))).toEqual(['open', 'closed', 'closed'])
  expect(await Promise.all([get(other), get(elsewhere)])).toEqual([null, null])
  frozen.resume()
  client.disconnect()
})
