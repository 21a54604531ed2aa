import { testRedis } from '@scale/devkit/redis-server'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { countCommands } from '../src/command-counter.js'
import { Contestant } from '../src/contestant.js'
import { stacks } from '../src/stacks.js'

const REQUESTS = 320

let redis: RedisServer

beforeAll(async () => {
  redis = await testRedis()
})
afterAll(() => redis.stop())

/** Redis commands for one request, over requests that were all answered as they should. */
async function commandsPerRequest(name: string): Promise<number> {
  const counter = await countCommands(redis)
  const contestant = await Contestant.start(name, counter.url)
  await contestant.logIn()
  await contestant.cpuMicrosPerRequest(REQUESTS)
  const before = counter.commands
  expect(await contestant.cpuMicrosPerRequest(REQUESTS)).toBeGreaterThan(0)
  const each = (counter.commands - before) / REQUESTS
  await contestant.stop()
  counter.close()
  return each
}

// A session and a quota are one command each, and a hot cached value none; the invalidation channel adds a heartbeat.
const most: Record<string, number> = {
  'Express alone': 0,
  '@scale: session, quota and cache, composed': 2.1,
  '@scale: the same, one after the other': 2.1,
  'express-session, express-rate-limit, cacheable': 4,
}

it.each(Object.keys(stacks))('%s answers, for no more commands than it claims', async (name) => {
  expect(await commandsPerRequest(name)).toBeLessThanOrEqual(most[name]!)
})
