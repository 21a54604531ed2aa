import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, type RedisClient } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { BullmqJobStore, jobStoreContract, MemoryJobStore } from '../src/testing/index.js'

jobStoreContract({ describe, it }, 'memory', async (policy) => new MemoryJobStore(policy))

let server: RedisServer
let ours: ReturnType<typeof createRedis>
let theirs: Redis
beforeAll(async () => {
  server = await testRedis()
  ours = createRedis(server.url)
  theirs = new Redis(server.url)
})
afterAll(async () => {
  ours.disconnect()
  theirs.disconnect()
  await server.stop()
})

const store =
  (client: () => RedisClient): Parameters<typeof jobStoreContract>[2] =>
  async (policy) =>
    new BullmqJobStore(client(), 'test', policy)
jobStoreContract(
  { describe, it },
  'BullMQ, a client of createRedis',
  store(() => ours),
)
jobStoreContract(
  { describe, it },
  'BullMQ, a client of ioredis',
  store(() => theirs),
)
