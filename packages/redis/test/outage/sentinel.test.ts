import { findRedisServer } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { guardDefaults } from '../../src/index.js'
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
