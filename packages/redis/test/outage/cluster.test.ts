import { findRedisServer } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { guardDefaults, slotOf } from '../../src/index.js'
import { type RedisCluster, type RedisServer, startRedisCluster } from '../../src/testing/index.js'
import { bothClusterClients, type GuardedClient, portOf } from './clients.js'
import { eventually, outcomeOf, PATIENT, traffic } from './traffic.js'

let cluster: RedisCluster
let clients: GuardedClient[]

beforeAll(async () => {
  cluster = await startRedisCluster(await findRedisServer())
  clients = bothClusterClients(cluster.url)
  await served('a')
})
afterAll(async () => {
  for (const { client } of clients) client.disconnect()
  await cluster.stop()
})

async function served(key: string): Promise<void> {
  for (const { guard } of clients) {
    await eventually(async () => expect(await outcomeOf(guard.call('get', [key], PATIENT))).toBe('ok'))
  }
}

/** 1,000 requests through each client for a key of a primary that is gone, and 1,000 for one of another primary. */
async function expectOthersToGoOn(lost: string, kept: string): Promise<void> {
  const both = clients.map(({ guard }) => Promise.all([traffic(guard, lost), traffic(guard, kept, PATIENT)]))
  for (const [onLost, onKept] of await Promise.all(both)) {
    expect(onLost.counts.ok).toBeUndefined()
    expect(onLost.p99Ms).toBeLessThanOrEqual(guardDefaults.deadlineMs + 20)
    expect(onKept.counts).toEqual({ ok: 1_000 })
  }
}

async function primaryOf(lost: string, kept: string): Promise<RedisServer> {
  const primary = await cluster.primaryOf(slotOf(lost))
  expect(await cluster.primaryOf(slotOf(kept))).not.toBe(primary)
  return primary
}

it('every primary is connected before the first command for it, which would make others fail', async () => {
  for (const { client } of clients) {
    await eventually(() => {
      const primaries = client.nodes!('master').map(({ status }) => status)
      expect(primaries).toEqual(['ready', 'ready', 'ready'])
    })
  }
})

it('a key whose slot moves stays within reach', async () => {
  const slot = slotOf('travelling')
  const from = await cluster.primaryOf(slot)
  const to = cluster.nodes.slice(0, 3).find((node) => node !== from)!
  await from.command('SET', 'travelling', 'there')
  const move = await cluster.beginMove(slot, to)
  await move.moveKeys()
  for (const { guard } of clients) expect(await guard.call('get', ['travelling'], PATIENT)).toBe('there')
  await move.finish()
  for (const { guard } of clients) expect(await guard.call('get', ['travelling'], PATIENT)).toBe('there')
})

it('when a primary is killed the other slots go on, and its own heal with its replica', async () => {
  const primary = await primaryOf('lost', 'kept-1')
  const promotion = cluster.failover(primary, 'crash')
  await eventually(() => expect(primary.running).toBe(false))
  await expectOthersToGoOn('lost', 'kept-1')
  await promotion
  await served('lost')
})

it('when a primary is frozen the other slots go on, and its own heal with its replica', async () => {
  const primary = await primaryOf('frozen-1', 'kept-1')
  primary.pause()
  await expectOthersToGoOn('frozen-1', 'kept-1')
  await served('frozen-1')
  primary.resume()
  await cluster.settled()
})

it('a node that dies while it is asked for a key on the move does not end the process', async () => {
  const slot = slotOf('travelling')
  const to = await cluster.primaryOf(slotOf('kept-1'))
  const move = await cluster.beginMove(slot, to)
  await move.moveKeys()
  to.pause()
  const asked = clients.map(({ guard }) => outcomeOf(guard.call('get', ['travelling'])))
  expect(await Promise.all(asked)).toEqual(['timeout', 'timeout'])
  // ioredis leaves the rejection of its ASKING to nobody; the test run would fail by it.
  await to.kill()
  await eventually(() =>
    expect(clients.flatMap(({ client }) => client.nodes!('all').map(portOf))).not.toContain(to.port),
  )
})

it('a client that is made while the whole Cluster is away heals when it comes', async () => {
  await Promise.all(cluster.nodes.map((node) => node.kill()))
  const early = bothClusterClients(cluster.url)
  for (const { guard } of early) expect(await outcomeOf(guard.call('get', ['a']))).toBe('not-ready')
  await Promise.all(cluster.nodes.map((node) => node.restart()))
  for (const { guard } of [...early, ...clients]) {
    await eventually(async () => expect(await outcomeOf(guard.call('get', ['a'], PATIENT))).toBe('ok'))
  }
  for (const { client } of early) client.disconnect()
})
