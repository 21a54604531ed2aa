import { findRedisServer } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisSentinel, startRedisSentinel } from '../../src/testing/index.js'
import { isAlive } from './processes.js'
import { writeReplicated } from './replicated.js'

let group: RedisSentinel
const addressFrom = (sentinel: number) =>
  group.sentinels[sentinel]!.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', group.name)

beforeAll(async () => {
  group = await startRedisSentinel({ ...(await findRedisServer()), name: 'orders', replicas: 2 })
})
afterAll(() => group.stop())

describe('startRedisSentinel', () => {
  it('has one primary, its replicas in step, and three sentinels of which two must agree', async () => {
    const [primary, ...replicas] = group.servers
    expect(await group.primary()).toBe(primary)
    expect(replicas).toHaveLength(2)
    for (const replica of replicas) {
      expect(await replica.command('ROLE')).toMatchObject([
        'slave',
        '127.0.0.1',
        primary!.port,
        'connected',
        expect.any(Number),
      ])
    }
    for (const sentinel of [0, 1, 2])
      expect(await addressFrom(sentinel)).toEqual(['127.0.0.1', `${primary!.port}`])
    expect(await group.sentinels[0]!.command('SENTINEL', 'CKQUORUM', 'orders')).toMatch(
      /^OK 3 usable Sentinels/,
    )
  })

  it('names itself in a URL', () => {
    const hosts = group.sentinels.map((sentinel) => `127.0.0.1:${sentinel.port}`)
    expect(group.url).toBe(`redis+sentinel://${hosts.join(',')}/orders`)
  })
})

describe('failover', () => {
  it('hands over to a replica; the old primary follows it', async () => {
    const before = await group.primary()
    await writeReplicated(before, 'key', 2)
    const after = await group.failover()
    expect(after).not.toBe(before)
    for (const sentinel of [0, 1, 2])
      expect(await addressFrom(sentinel)).toEqual(['127.0.0.1', `${after.port}`])
    expect(await after.command('GET', 'key')).toBe('1')
    expect(await before.command('ROLE')).toMatchObject([
      'slave',
      '127.0.0.1',
      after.port,
      'connected',
      expect.any(Number),
    ])
  })

  it('promotes a replica when the primary is killed, and takes that back as a replica', async () => {
    const before = await group.primary()
    const after = await group.failover('crash')
    expect(isAlive(before.pid)).toBe(false)
    expect(after).not.toBe(before)
    expect(await after.command('SET', 'key', 2)).toBe('OK')
    await before.restart()
    await group.settled()
    expect(await before.command('GET', 'key')).toBe('2')
  })
})

it('leaves no process after stop', async () => {
  const pids = [...group.servers, ...group.sentinels].map((server) => server.pid)
  expect(pids.filter(isAlive)).toHaveLength(6)
  await group.stop()
  expect(pids.filter(isAlive)).toEqual([])
})
