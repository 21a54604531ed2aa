import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { rateLimit, user } from '../src/index.js'
import { fleetOf } from '../src/stores/fleet.js'

let server: RedisServer
const clients: ReturnType<typeof createRedis>[] = []

beforeAll(async () => {
  server = await testRedis()
})
afterAll(async () => {
  for (const client of clients) client.disconnect()
  await server.stop()
})

async function connect() {
  const client = createRedis(server.url, { guard: { deadlineMs: 2_000 } })
  clients.push(client)
  await whenReady(client, 5_000)
  return client
}

it('counts the processes, keeps the count while Redis is away, and divides the quota by it', async () => {
  const errors: unknown[] = []
  const members = [await connect(), await connect(), await connect()]
  const fleets = members.map((redis) => fleetOf(redis, 'fleet', (error) => errors.push(error)))
  await Promise.all(fleets.map((fleet) => fleet.beat()))
  await Promise.all(fleets.map((fleet) => fleet.beat()))
  expect(fleets.map(({ size }) => size)).toEqual([3, 3, 3])

  const limiter = rateLimit({
    redis: members[0]!,
    prefix: 'fleet',
    mode: 'local',
    policies: [{ name: 'p', quota: 10, windowMs: 60_000 }],
  })
  const allowed = async (): Promise<number> => {
    const decisions = await Promise.all(Array.from({ length: 10 }, () => limiter.consume(user('key'))))
    return decisions.filter((decision) => decision.allowed).length
  }
  expect(await allowed()).toBe(3)
  expect(limiter.bound()[0]!.most).toBe(3 * (2 * 3 - 1))

  await server.kill()
  await fleets[0]!.beat()
  expect(errors).toHaveLength(1)
  expect(fleets[0]!.size).toBe(3)
  await server.restart()
})

it('is one for all limiters of a client, and its key expires', async () => {
  const redis = await connect()
  expect(fleetOf(redis, 'one', () => {})).toBe(fleetOf(redis, 'one', () => {}))
  await fleetOf(redis, 'one', () => {}).beat()
  expect(await redis.call('pttl', ['one:rate-limit:1:processes'])).toBeGreaterThan(0)
})
