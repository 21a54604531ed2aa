import { testRedis } from '@scale/devkit/redis-server'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { commandsPerRequest } from '../src/commands.js'
import { stacks } from '../src/stacks.js'

const REQUESTS = 320

let redis: RedisServer

beforeAll(async () => {
  redis = await testRedis()
})
afterAll(() => redis.stop())

// A session and a quota are one command each, and a hot cached value none; the invalidation channel adds a heartbeat.
const most: Record<string, number> = {
  'Express alone': 0,
  '@scale: session, quota and cache, composed': 2.1,
  '@scale: the same, one after the other': 2.1,
  'express-session, express-rate-limit, cacheable': 4,
}

it.each(Object.keys(stacks))('%s answers, for no more commands than it claims', async (name) => {
  expect(await commandsPerRequest(name, redis, REQUESTS)).toBeLessThanOrEqual(most[name]!)
})
