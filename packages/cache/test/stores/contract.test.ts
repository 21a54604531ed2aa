import { setTimeout as delay } from 'node:timers/promises'
import { findRedisServer, testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import { type RedisCluster, type RedisServer, startRedisCluster } from '@scale/redis/testing'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCache } from '../../src/index.js'
import { cacheStoreContract, MemoryStore, RedisStore } from '../../src/testing/index.js'
import { PATIENT, until } from '../until.js'

cacheStoreContract({ describe, it }, 'memory', async () => {
  let nowMs = 1_000_000
  return {
    store: new MemoryStore(1_000_000, () => nowMs),
    pass: async (ms) => {
      nowMs += ms
    },
  }
})

let server: RedisServer
let redis: ReturnType<typeof createRedis>
let redis5: Redis5
let cluster: RedisCluster
let clustered: ReturnType<typeof createRedis>
beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url, PATIENT)
  redis5 = new Redis5(server.port, '127.0.0.1', { maxRetriesPerRequest: 0 })
  cluster = await startRedisCluster(await findRedisServer())
  clustered = createRedis(cluster.url, PATIENT)
  await Promise.all([whenReady(redis, 5_000), whenReady(clustered, 10_000)])
})
afterAll(async () => {
  for (const client of [redis, redis5, clustered]) client.disconnect()
  await Promise.all([server.stop(), cluster.stop()])
})

// A server's clock is the real one: time has to pass.
const pass = async (ms: number) => {
  await delay(ms)
}

cacheStoreContract({ describe, it }, 'redis', async () => ({
  store: new RedisStore(redis, 'contract'),
  pass,
}))
cacheStoreContract({ describe, it }, 'redis, by ioredis 5', async () => ({
  store: new RedisStore(redis5 as never, 'contract5'),
  pass,
}))
cacheStoreContract({ describe, it }, 'redis cluster', async () => ({
  store: new RedisStore(clustered, 'contract'),
  pass,
}))

it('copies in process follow invalidations on a cluster', async () => {
  const other = createRedis(cluster.url, PATIENT)
  await whenReady(other, 10_000)
  const [here, there] = [
    createCache({ redis: clustered, prefix: 'co' }),
    createCache({ redis: other, prefix: 'co' }),
  ]
  try {
    for (let round = 0; round < 5; round++) {
      await there.set(`key${round}`, 'old', { tags: [`tag${round}`] })
      await until(async () => (await here.getEntry(`key${round}`))?.layer === 'l1')
      expect(await there.invalidateTags([`tag${round}`])).toBe(true)
      await until(async () => (await here.get(`key${round}`)) === undefined)
    }
  } finally {
    await Promise.all([here.close(), there.close()])
    other.disconnect()
  }
})
