import { testRedis } from '@scale/devkit/redis-server'
import { createRedis } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'

/** A private Redis for one test file. */
export interface TestRedis {
  server: RedisServer
  client: Redis
}

/** Starts a Redis before the tests of a file, and stops it after them. */
export function useRedis(): TestRedis {
  const test = {} as TestRedis
  beforeAll(async () => {
    test.server = await testRedis()
    test.client = createRedis(test.server.url, { guard: { deadlineMs: 2_000 } }) as Redis
    await new Promise((resolve) => test.client.once('ready', resolve))
  })
  afterAll(async () => {
    test.client?.disconnect()
    await test.server?.stop()
  })
  return test
}
