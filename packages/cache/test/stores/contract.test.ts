import { setTimeout as delay } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { cacheStoreContract, MemoryStore, RedisStore } from '../../src/testing/index.js'

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
beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url)
  await whenReady(redis, 5_000)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

cacheStoreContract({ describe, it }, 'redis', async () => ({
  store: new RedisStore(redis, 'contract'),
  // The server's clock is the real one: time has to pass.
  pass: (ms) => delay(ms),
}))
