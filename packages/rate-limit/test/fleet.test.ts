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

const fail = (error: unknown): never => expect.fail(String(error))

it('counts the processes, keeps the count while Redis is away, and divides the quota by it', async () => {
  const errors: unknown[] = []
  const members = [await connect(), await connect(), await connect()]
  const fleets = members.map((redis) =>
    fleetOf(redis, { prefix: 'fleet', name: 'default' }, (error) => errors.push(error)),
  )
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

it('counts limiters of a name and not clients: two of them in one process leave each limiter its whole share', async () => {
  const [one, two] = [await connect(), await connect()]
  const share = async (redis: typeof one, name: string): Promise<number> => {
    const limiter = rateLimit({
      redis,
      prefix: 'clients',
      name,
      mode: 'local',
      policies: [{ name: 'p', quota: 10, windowMs: 60_000 }],
    })
    // Of two beats the first may have been the one that the limiter itself has sent.
    for (let beat = 0; beat < 2; beat++) await fleetOf(redis, { prefix: 'clients', name }, fail).beat()
    const decisions = await Promise.all(Array.from({ length: 20 }, () => limiter.consume(user('key'))))
    return decisions.filter((decision) => decision.allowed).length
  }
  expect(await share(one, 'login')).toBe(10)
  expect(await share(two, 'api')).toBe(10)
  // A copy, as another process would have it, counts by itself.
  expect(await share(two, 'login')).toBe(5)
})

it('forgets who has gone, and its key expires', async () => {
  const redis = await connect()
  const name = { prefix: 'one', name: 'a limiter' }
  const fleet = fleetOf(redis, name, fail)
  expect(fleetOf(redis, name, fail)).toBe(fleet)
  const key = 'one:rate-limit:1:processes:a%20limiter'
  await redis.call('zadd', [key, String(Date.now() - 20_000), 'gone', String(Date.now() - 5_000), 'late'])
  await fleet.beat()
  expect(fleet.size).toBe(2)
  expect(await redis.call('pttl', [key])).toBeGreaterThan(0)
  // A server that has forgotten all hears of the others again one by one.
  await redis.call('del', [key])
  await fleet.beat()
  expect(fleet.size).toBe(2)
  await fleet.beat()
  expect(fleet.size).toBe(1)
})
