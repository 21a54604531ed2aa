// Faults that limiters of others have had, each as a test of ours.
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createQuota } from '../../src/algorithms/quota.js'
import { address, type PolicyOptions, type RateLimitOptions, rateLimit, user } from '../../src/index.js'
import { MemoryStore } from '../../src/stores/memory.js'

let server: RedisServer
let redis: ReturnType<typeof createRedis>
let prefixes = 0

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url)
  await whenReady(redis, 5_000)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})
afterEach(() => {
  vi.useRealTimers()
})

const stores: [string, () => Partial<RateLimitOptions>][] = [
  ['in process', () => ({ prefix: `peers:${++prefixes}` })],
  ['in Redis', () => ({ redis, onStoreError: 'closed', prefix: `peers:${++prefixes}` })],
]
const one = (policy: Partial<PolicyOptions>): PolicyOptions[] => [
  { name: 'p', quota: 1, windowMs: 60_000, ...policy },
]

describe.each(stores)('%s', (_, options) => {
  it('a window of half a second ends, and its key expires', async () => {
    const limiter = rateLimit({ ...options(), policies: one({ windowMs: 500 }) })
    expect((await limiter.consume(user('a'))).allowed).toBe(true)
    const refused = await limiter.consume(user('a'))
    expect(refused.allowed).toBe(false)
    expect(refused.retryAfterMs).toBeGreaterThan(0)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(500)
    await expect.poll(async () => (await limiter.consume(user('a'))).allowed, { timeout: 3_000 }).toBe(true)
  })

  it('a window over 24.8 days goes on limiting', async () => {
    const windowMs = 40 * 86_400_000
    const limiter = rateLimit({ ...options(), policies: one({ windowMs }) })
    await limiter.consume(user('a'))
    // A timer of that length would fire after 1 ms.
    await new Promise((resolve) => setTimeout(resolve, 10))
    const refused = await limiter.consume(user('a'))
    expect(refused.allowed).toBe(false)
    expect(refused.retryAfterMs).toBeGreaterThan(windowMs - 60_000)
  })

  it('a refused union costs nothing anywhere', async () => {
    const limiter = rateLimit({
      ...options(),
      policies: [...one({ name: 'wide', quota: 50 }), ...one({ name: 'narrow' })],
    })
    await limiter.consume(user('a'))
    for (let request = 0; request < 49; request++) await limiter.consume(user('a'))
    expect((await limiter.peek(user('a'))).policies.map(({ remaining }) => remaining)).toEqual([49, 0])
  })

  it('a refund that comes late makes no key and no quota', async () => {
    const limiter = rateLimit({ ...options(), settle: true, policies: one({ windowMs: 50, quota: 2 }) })
    const late = await limiter.consume(user('a'))
    await expect.poll(async () => (await limiter.peek(user('a'))).policies[0]!.remaining).toBe(2)
    await limiter.consume(user('a'), 2)
    await limiter.settle(late, 0)
    const { remaining } = (await limiter.peek(user('a'))).policies[0]!
    // The window of the second request may be over as well, but then it is untouched.
    expect([0, 2]).toContain(remaining)
    if (remaining === 0) expect((await limiter.consume(user('a'))).allowed).toBe(false)
  })

  it('requests at the same time do not slip past one another', async () => {
    const limiter = rateLimit({ ...options(), policies: one({ quota: 5 }) })
    const decisions = await Promise.all(Array.from({ length: 1_000 }, () => limiter.consume(user('a'))))
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(5)
  })

  it('a quota that is raised acts, though much was refused before', async () => {
    let quota = 1
    const limiter = rateLimit({ ...options(), policies: one({ quota: () => quota }) })
    for (let request = 0; request < 20; request++) await limiter.consume(user('a'))
    quota = 2
    expect((await limiter.consume(user('a'))).allowed).toBe(true)
  })

  it('a strict window of one unit admits one', async () => {
    const limiter = rateLimit({ ...options(), policies: one({ algorithm: 'strict' }) })
    expect((await limiter.consume(user('a'))).allowed).toBe(true)
    expect((await limiter.consume(user('a'))).allowed).toBe(false)
  })
})

describe('keys in Redis', () => {
  it('a refund after the end of the window leaves no key without expiry', async () => {
    const prefix = `peers:${++prefixes}`
    const limiter = rateLimit({
      redis,
      prefix,
      onStoreError: 'closed',
      settle: true,
      policies: one({ windowMs: 30 }),
    })
    const decision = await limiter.consume(user('a'))
    const keys = async () =>
      ((await redis.call('scan', ['0', 'match', `${prefix}:*`, 'count', '1000'])) as [string, string[]])[1]
    await expect.poll(keys).toEqual([])
    await limiter.settle(decision, 0)
    expect(await keys()).toEqual([])
  })
})

describe('the in-process store', () => {
  it('does not let a flood of other keys unblock a client', () => {
    const store = new MemoryStore({ maxKeys: 5_000 })
    const quota = createQuota('p', { algorithm: 'fixed', quota: 2, windowMs: 60_000 })
    const ask = (key: string) => store.consume([{ key, quota, cost: 1 }], 1, 1).granted
    ask('client')
    ask('client')
    for (let index = 0; index < 50_000; index++) ask(`other ${index}`)
    expect(ask('client')).toBe(0)
  })

  it('sets no timer', () => {
    vi.useFakeTimers()
    const limiter = rateLimit({ name: 'a second', policies: one({ windowMs: 1_000 }) })
    for (let index = 0; index < 100; index++) void limiter.consume(user(`${index}`))
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('addresses', () => {
  const partitionOf = (ip: string) => address({ ip }).text

  it('IPv4 written as IPv6 is IPv4, in any spelling, and each is its own', () => {
    expect(partitionOf('::ffff:192.0.2.1')).toBe('ip:192.0.2.1')
    expect(partitionOf('::FFFF:c000:0201')).toBe('ip:192.0.2.1')
    expect(partitionOf('0:0:0:0:0:ffff:192.0.2.2')).toBe('ip:192.0.2.2')
    expect(partitionOf('::ffff:102:304')).toBe('ip:1.2.3.4')
  })

  it('a dotted tail outside that range stays IPv6, and in its prefix', () => {
    expect(partitionOf('2001:db8::1.2.3.4')).toBe('ip:2001%3adb8%3a%3a/56')
    expect(partitionOf('2001:db8::ffff')).toBe('ip:2001%3adb8%3a%3a/56')
    expect(partitionOf('2001:db8:0:100::1')).toBe('ip:2001%3adb8%3a0%3a100%3a%3a/56')
  })
})
