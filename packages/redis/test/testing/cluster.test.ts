import { findRedisServer } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisCluster, startRedisCluster } from '../../src/testing/index.js'
import { isAlive, until } from './processes.js'
import { writeReplicated } from './replicated.js'

let cluster: RedisCluster

beforeAll(async () => {
  cluster = await startRedisCluster(await findRedisServer())
})
afterAll(() => cluster.stop())

describe('startRedisCluster', () => {
  it('serves every slot on three primaries, each with a replica in step', async () => {
    expect(cluster.nodes).toHaveLength(6)
    const info = String(await cluster.nodes[5]!.command('CLUSTER', 'INFO'))
    expect(info).toMatch(
      /cluster_state:ok[\s\S]*cluster_slots_ok:16384[\s\S]*cluster_known_nodes:6[\s\S]*cluster_size:3/,
    )
    for (const primary of cluster.nodes.slice(0, 3)) {
      const [replica] = await cluster.replicasOf(primary)
      expect(await primary.command('ROLE')).toMatchObject([
        'master',
        expect.any(Number),
        [['127.0.0.1', `${replica!.port}`, expect.any(String)]],
      ])
      expect(await replica!.command('ROLE')).toMatchObject([
        'slave',
        '127.0.0.1',
        primary.port,
        'connected',
        expect.any(Number),
      ])
    }
  })

  it('names itself in URLs', () => {
    const ports = cluster.nodes.map((node) => node.port)
    expect(cluster.urls).toEqual(ports.map((port) => `redis://127.0.0.1:${port}`))
    expect(cluster.url).toBe(`redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`)
  })

  it('finds the owner of a key; the others answer MOVED', async () => {
    const slot = await cluster.slotOf('{user:1}:name')
    expect(slot).toBe(await cluster.slotOf('user:1'))
    const owner = await cluster.primaryOf(slot)
    expect(await owner.command('SET', '{user:1}:name', 'Ada')).toBe('OK')
    const other = cluster.nodes.slice(0, 3).find((node) => node !== owner)!
    await expect(other.command('GET', '{user:1}:name')).rejects.toThrow(
      `MOVED ${slot} 127.0.0.1:${owner.port}`,
    )
  })
})

describe('moveSlot', () => {
  it('moves the keys with the slot; the old owner answers MOVED', async () => {
    const slot = await cluster.slotOf('{moved}')
    const from = await cluster.primaryOf(slot)
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)!
    for (let i = 0; i < 250; i++) await from.command('SET', `{moved}:${i}`, i)
    await cluster.moveSlot(slot, to)
    expect(await cluster.primaryOf(slot)).toBe(to)
    expect(await to.command('CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe(250)
    expect(await to.command('GET', '{moved}:249')).toBe('249')
    for (const node of cluster.nodes.filter((each) => each !== to)) {
      await expect(node.command('GET', '{moved}:0')).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${to.port}`)
    }
  })

  it('can be held in the middle, where the old owner answers ASK for what it does not have', async () => {
    const slot = await cluster.slotOf('{held}')
    const from = await cluster.primaryOf(slot)
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)!
    await from.command('SET', '{held}:old', 1)
    const move = await cluster.beginMove(slot, to)
    expect(await from.command('GET', '{held}:old')).toBe('1')
    await expect(from.command('GET', '{held}:new')).rejects.toThrow(`ASK ${slot} 127.0.0.1:${to.port}`)
    expect(await move.moveKeys()).toBe(1)
    await expect(from.command('GET', '{held}:old')).rejects.toThrow(/^ASK/)
    await expect(to.command('GET', '{held}:old')).rejects.toThrow(/^MOVED/)
    await move.finish()
    expect(await to.command('GET', '{held}:old')).toBe('1')
  })
})

describe('failover', () => {
  it('hands over to the replica, with all data', async () => {
    const slot = await cluster.slotOf('handed-over')
    const before = await cluster.primaryOf(slot)
    await before.command('SET', 'handed-over', 1)
    const after = await cluster.failover(before)
    expect(after).not.toBe(before)
    expect(await cluster.primaryOf(slot)).toBe(after)
    expect(await after.command('GET', 'handed-over')).toBe('1')
    expect(await cluster.replicasOf(after)).toEqual([before])
  })

  it('promotes the replica of a primary that was killed, which comes back as a replica', async () => {
    const slot = await cluster.slotOf('crashed')
    const before = await cluster.primaryOf(slot)
    await writeReplicated(before, 'crashed', 1)
    const after = await cluster.failover(before, 'crash')
    expect(isAlive(before.pid)).toBe(false)
    expect(await after.command('GET', 'crashed')).toBe('1')
    await expect(cluster.failover(after)).rejects.toThrow(/no replica that runs/)
    await before.restart()
    await cluster.settled()
    expect(await cluster.replicasOf(after)).toEqual([before])
  })
})

it('keeps the other slots up while a primary and its replica are gone', async () => {
  const gone = await cluster.primaryOf(0)
  const rest = await cluster.primaryOf(16_383)
  for (const node of [...(await cluster.replicasOf(gone)), gone]) await node.kill()
  await until(async () => /cluster_slots_fail:[1-9]/.test(String(await rest.command('CLUSTER', 'INFO'))))
  await expect(cluster.primaryOf(0)).rejects.toThrow(/no node serves slot 0/)
  expect(await cluster.slotOf('hia')).toBe(16_383)
  expect(await rest.command('SET', 'hia', 1)).toBe('OK')
})

it('leaves no process after stop', async () => {
  const pids = cluster.nodes.map((node) => node.pid)
  expect(pids.filter(isAlive)).toHaveLength(4)
  await cluster.stop()
  expect(pids.filter(isAlive)).toEqual([])
})
