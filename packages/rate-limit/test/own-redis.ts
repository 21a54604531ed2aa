import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll } from 'vitest'

/** A server of the test file that imports this, from its first test to its last. */
export let server: RedisServer
/** A client of it, as patient as a busy machine asks for. */
export let redis: ReturnType<typeof createRedis>

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url, { guard: { deadlineMs: 10_000 } })
  await whenReady(redis, 5_000)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})
