import { findRedisServer } from '@scale/devkit/redis-server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRedis, storeGuard } from '../../src/index.js'
import { type RedisSentinel, startRedisSentinel } from '../../src/testing/index.js'
import { eventually, outcomeOf } from './traffic.js'

let group: RedisSentinel
let client: ReturnType<typeof createRedis>

beforeAll(async () => {
  group = await startRedisSentinel({ ...(await findRedisServer()), replicas: 2 })
  client = createRedis(group.url)
})
afterAll(async () => {
  client.disconnect()
  await group.stop()
})

it('in a planned fail-over the old primary is left before a replica is promoted: what was acknowledged since is kept', async () => {
  const store = storeGuard(client)
  await eventually(async () => expect(await outcomeOf(store.call('del', ['acknowledged']))).toBe('ok'))
  const acknowledged: number[] = []
  let isOver = false
  const writing = (async () => {
    while (!isOver) {
      const at = performance.now()
      const outcome = await outcomeOf(store.call('rpush', ['acknowledged', String(at)], { patience: 'long' }))
      if (outcome === 'ok') acknowledged.push(at)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  const before = await group.primary()
  const promoting = group.failover('handover')
  const others = group.servers.filter((server) => server !== before)
  const isPromoted = async (): Promise<boolean> => {
    const roles = await Promise.all(others.map((server) => server.command('ROLE')))
    return roles.some((role) => (role as string[])[0] === 'master')
  }
  await eventually(async () => expect(await isPromoted()).toBe(true))
  const promotedAt = performance.now()
  await eventually(async () => expect((await group.primary()).port).not.toBe(before.port))
  const namedAt = performance.now()
  const promoted = await promoting
  await eventually(() =>
    expect(acknowledged.filter((at) => at > namedAt + 1_000).length).toBeGreaterThan(100),
  )
  isOver = true
  await writing
  const kept = new Set(
    ((await promoted.command('LRANGE', 'acknowledged', '0', '-1')) as unknown as string[]).map(Number),
  )
  const lost = acknowledged.filter((at) => !kept.has(at))
  // What no replica had when one was promoted is lost with any client.
  expect(lost.filter((at) => at > promotedAt)).toEqual([])
  expect(kept.size).toBeGreaterThan(100)
})
