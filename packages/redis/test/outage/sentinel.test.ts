import { findRedisServer } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRedis, guardDefaults, storeGuard } from '../../src/index.js'
import { type RedisSentinel, startRedisSentinel } from '../../src/testing/index.js'
import { bothSentinelClients, type GuardedClient } from './clients.js'
import { eventually, outcomeOf, PATIENT, traffic } from './traffic.js'

let group: RedisSentinel
let clients: GuardedClient[]

beforeAll(async () => {
  group = await startRedisSentinel({ ...(await findRedisServer()), replicas: 2 })
  clients = bothSentinelClients(group.url)
  for (const { guard } of clients) await eventually(() => expect(guard.available()).toBe(true))
})
afterAll(async () => {
  for (const { client } of clients) client.disconnect()
  await group.stop()
})

async function expectWritesToHeal(): Promise<void> {
  for (const { guard } of clients) {
    await eventually(async () => expect(await outcomeOf(guard.call('incr', ['counter'], PATIENT))).toBe('ok'))
  }
}

it('heals by itself when the primary is killed', async () => {
  const promotion = group.failover('crash')
  await eventually(() => expect(group.servers.some((server) => !server.running)).toBe(true))
  const during = await Promise.all(clients.map(({ guard }) => traffic(guard)))
  for (const { p99Ms } of during) expect(p99Ms).toBeLessThanOrEqual(guardDefaults.deadlineMs + 20)
  const promoted = await promotion
  await expectWritesToHeal()
  expect(await promoted.command('GET', 'counter')).toBe('2')
})

it('follows a primary that handed over, though the old one still answers', async () => {
  const promoted = await group.failover('handover')
  await expectWritesToHeal()
  expect(await promoted.command('GET', 'counter')).toBe('4')
})

it('a client that is made while one of three sentinels says nothing is ready all the same', async () => {
  const [frozen] = group.sentinels
  frozen!.pause()
  // Of a client that an app makes itself this is the app's to set: `sentinelCommandTimeout`.
  const client = createRedis(group.url)
  await eventually(() => expect(storeGuard(client).available()).toBe(true))
  client.disconnect()
  frozen!.resume()
})

it('a primary that is frozen is left as soon as another one is named (down-after scaled to a second)', async () => {
  const old = await group.primary()
  const store = clients[0]!.guard
  old.pause()
  const isAnother = async (): Promise<boolean> => (await group.primary()).port !== old.port
  await eventually(async () => expect(await isAnother()).toBe(true))
  const promotedAt = performance.now()
  await eventually(async () =>
    expect(await outcomeOf(store.call('incr', ['frozen'], { patience: 'long' }))).toBe('ok'),
  )
  expect(performance.now() - promotedAt).toBeLessThan(3_000)
  old.resume()
})
