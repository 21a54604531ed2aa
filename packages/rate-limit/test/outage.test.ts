import { setTimeout as delay } from 'node:timers/promises'
import { findRedisServer, testRedis } from '@scale/devkit/redis-server'
import { createRedis, lateReplyChannel, slotOf } from '@scale/redis'
import {
  type FaultProxy,
  type RedisCluster,
  type RedisSentinel,
  type RedisServer,
  startFaultProxy,
  startRedisCluster,
  startRedisSentinel,
} from '@scale/redis/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { address, type RateLimit, RateLimitStoreUnavailable, rateLimit, user } from '../src/index.js'

type Client = ReturnType<typeof createRedis>

let prefixes = 0
const unique = (): string => `outage:${++prefixes}`

/** Asks until the answer comes from Redis. */
async function served(limiter: RateLimit, key: string): Promise<void> {
  const source = async (): Promise<string> => (await limiter.peek(user(key))).source
  await vi.waitFor(async () => expect(await source()).toBe('redis'), { timeout: 20_000, interval: 50 })
}

/** Asks until the answer comes from Redis and is this one: a primary that steps down still answers, then cuts off. */
async function remains(limiter: RateLimit, key: string, remaining: number): Promise<void> {
  const answer = {
    source: 'redis',
    policies: expect.arrayContaining([expect.objectContaining({ remaining })]),
  }
  await vi.waitFor(async () => expect(await limiter.peek(user(key))).toMatchObject(answer), {
    timeout: 20_000,
    interval: 50,
  })
}

/** How many of so many requests that Redis decides are allowed. Others are decided locally while a connection heals. A refusal that is
 * remembered is one of Redis. */
async function admitted(limiter: RateLimit, key: string, requests: number): Promise<number> {
  let [asked, count] = [0, 0]
  const giveUpAt = Date.now() + 20_000
  while (asked < requests) {
    const { allowed, source } = await limiter.consume(user(key))
    if (source !== 'redis' && source !== 'block') {
      if (Date.now() > giveUpAt) throw new Error(`Redis decided only ${asked} of ${requests}`)
      await delay(5)
      continue
    }
    asked++
    if (allowed) count++
  }
  return count
}

const policies = [
  { name: 'minute', quota: 20, windowMs: 60_000 },
  { name: 'strict', quota: 1_000, windowMs: 3_600_000, algorithm: 'strict' as const },
]

describe('one server', () => {
  let server: RedisServer
  let proxy: FaultProxy
  let redis: Client

  beforeAll(async () => {
    server = await testRedis()
    proxy = await startFaultProxy({ target: server })
    redis = createRedis(proxy.url, { guard: { reconnectAfterMs: 500 } })
  })
  afterAll(async () => {
    redis.disconnect()
    await proxy.close()
    await server.stop()
  })
  beforeEach(async () => {
    await served(rateLimit({ redis, prefix: unique(), policies }), 'any')
  })

  const faults: [string, () => Promise<void> | void, () => Promise<void> | void][] = [
    ['frozen', () => server.pause(), () => server.resume()],
    ['behind a black hole', () => proxy.set({ blackHole: true }), () => proxy.clear()],
    ['slow', () => proxy.set({ latencyMs: 1_000 }), () => proxy.clear()],
    [
      'unreachable',
      async () => {
        await proxy.set({ refuse: true })
        proxy.reset()
      },
      () => proxy.clear(),
    ],
    ['silent after a power cut', () => proxy.halfOpen(), () => {}],
    ['killed', () => server.kill(), () => server.restart()],
    [
      'out of memory',
      async () => {
        await server.command('config', 'set', 'maxmemory', '1')
      },
      async () => {
        await server.command('config', 'set', 'maxmemory', '0')
      },
    ],
  ]

  it.each(faults)('%s: each request is answered as declared, and it heals', async (_, begin, end) => {
    const limiters = (['local', 'open', 'closed'] as const).map((onStoreError) =>
      rateLimit({
        redis,
        prefix: unique(),
        policies: [{ name: 'p', quota: 2, windowMs: 60_000 }],
        onStoreError,
      }),
    )
    const [local, open, closed] = limiters as [RateLimit, RateLimit, RateLimit]
    await begin()
    const decisions = []
    for (let request = 0; request < 4; request++) decisions.push(await local.consume(user('key')))
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, false, false])
    expect(decisions.every(({ source }) => source === 'fallback')).toBe(true)
    for (let request = 0; request < 4; request++) {
      expect(await open.consume(user('key'))).toMatchObject({ allowed: true, source: 'none' })
    }
    await expect(closed.consume(user('key'))).rejects.toThrow(RateLimitStoreUnavailable)
    await end()
    for (const limiter of limiters) await served(limiter, 'key')
  })

  it('slow by less than a second: where a request would be refused it is waited for, elsewhere not', async () => {
    const [open, closed] = (['open', 'closed'] as const).map((onStoreError) =>
      rateLimit({ redis, prefix: unique(), policies, onStoreError }),
    ) as [RateLimit, RateLimit]
    await proxy.set({ latencyMs: 250 })
    const asked = [open.consume(user('key')), closed.consume(user('key'))]
    expect((await Promise.all(asked)).map(({ source }) => source)).toEqual(['none', 'redis'])
    await proxy.clear()
    await served(open, 'key')
  })

  it('counts once what was answered too late', async () => {
    const prefix = unique()
    const limiter = rateLimit({ redis, prefix, policies, onStoreError: 'open' })
    await limiter.consume(user('key'))
    let late = 0
    const stop = lateReplyChannel.subscribe(() => late++)
    await proxy.set({ holdReplies: true })
    const decisions = await Promise.all([limiter.consume(user('key')), limiter.consume(user('key'))])
    expect(decisions.map(({ source }) => source)).toEqual(['none', 'none'])
    await proxy.clear()
    await expect.poll(() => late).toBeGreaterThan(0)
    stop()
    await served(limiter, 'key')
    expect((await limiter.peek(user('key'))).policies[0]!.remaining).toBe(17)
  })

  it('a limiter that is made while Redis is away works when it comes', async () => {
    await server.kill()
    const early = createRedis(proxy.url)
    const limiter = rateLimit({ redis: early, prefix: unique(), policies })
    expect((await limiter.consume(user('key'))).source).toBe('fallback')
    await server.restart()
    await served(limiter, 'key')
    early.disconnect()
  })

  it('leased quota is spent while Redis is away, and no more than that', async () => {
    const limiter = rateLimit({
      redis,
      prefix: unique(),
      mode: 'leased',
      leaseMs: 60_000,
      onStoreError: 'closed',
      policies: [{ name: 'p', quota: 1_000, windowMs: 600_000 }],
    })
    for (let request = 0; request < 50; request++) await limiter.consume(user('key'))
    await proxy.set({ blackHole: true })
    let spent = 0
    for (;;) {
      const decision = await limiter.consume(user('key')).catch(() => undefined)
      if (decision === undefined) break
      expect(decision.source).toBe('lease')
      spent++
    }
    expect(spent).toBeGreaterThan(0)
    expect(spent).toBeLessThan(950)
    await proxy.clear()
  })
})

describe('a Cluster', () => {
  let cluster: RedisCluster
  let redis: Client
  let limiter: RateLimit
  let prefix: string

  beforeAll(async () => {
    cluster = await startRedisCluster(await findRedisServer())
    redis = createRedis(cluster.url, { guard: { deadlineMs: 2_000 } })
    prefix = unique()
    limiter = rateLimit({ redis, prefix, policies })
    await served(limiter, 'warm')
  })
  afterAll(async () => {
    redis.disconnect()
    await cluster.stop()
  })

  const slot = (key: string): number => slotOf(`{user:${key}}`)

  it('decides what one turn asks of several slots, one command for each', async () => {
    const decisions = await Promise.all(
      Array.from({ length: 50 }, (_, index) => limiter.consume(user(`many ${index}`))),
    )
    expect(decisions.every(({ allowed, source }) => allowed && source === 'redis')).toBe(true)
  })

  it('counts on while the slot moves', async () => {
    expect(await admitted(limiter, 'moving', 5)).toBe(5)
    const from = await cluster.primaryOf(slot('moving'))
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)!
    const move = await cluster.beginMove(slot('moving'), to)
    expect(await admitted(limiter, 'moving', 5)).toBe(5)
    await move.moveKeys()
    expect(await admitted(limiter, 'moving', 5)).toBe(5)
    await move.finish()
    expect(await admitted(limiter, 'moving', 20)).toBe(5)
  })

  it('counts on after a primary has handed over', async () => {
    expect(await admitted(limiter, 'handed', 5)).toBe(5)
    await cluster.failover(await cluster.primaryOf(slot('handed')))
    await served(limiter, 'handed')
    expect(await admitted(limiter, 'handed', 30)).toBeLessThanOrEqual(15)
    await remains(limiter, 'handed', 0)
  })

  it('answers while a primary is lost, and heals with its replica', async () => {
    const promotion = cluster.failover(await cluster.primaryOf(slot('lost')), 'crash')
    const decision = await limiter.consume(user('lost'))
    expect(['fallback', 'redis']).toContain(decision.source)
    await promotion
    await served(limiter, 'lost')
    expect(await admitted(limiter, 'lost', 30)).toBeGreaterThan(0)
  })

  it('debits policies of different partitions together', async () => {
    const login = rateLimit({
      redis,
      prefix: unique(),
      name: 'login',
      policies: [
        { name: 'account', quota: 2, windowMs: 60_000, partitionKey: () => user('a') },
        { name: 'address', quota: 3, windowMs: 60_000 },
      ],
    })
    const ask = (account: string) => login.consume({ account: user(account), address: address('192.0.2.1') })
    expect((await ask('a')).allowed).toBe(true)
    expect((await ask('a')).allowed).toBe(true)
    expect(await ask('a')).toMatchObject({ allowed: false, policies: [{ remaining: 0 }, { remaining: 1 }] })
    expect((await ask('b')).allowed).toBe(true)
    expect((await ask('c')).allowed).toBe(false)
  })
})

describe('Sentinel', () => {
  let group: RedisSentinel
  let redis: Client

  beforeAll(async () => {
    group = await startRedisSentinel(await findRedisServer())
    redis = createRedis(group.url, { guard: { deadlineMs: 1_000 } })
  })
  afterAll(async () => {
    redis.disconnect()
    await group.stop()
  })

  it('counts on after the primary has handed over, and after it is lost', async () => {
    const limiter = rateLimit({ redis, prefix: unique(), policies })
    await served(limiter, 'key')
    expect(await admitted(limiter, 'key', 5)).toBe(5)
    await group.failover()
    await remains(limiter, 'key', 15)
    await group.failover('crash')
    await served(limiter, 'other')
    expect(await admitted(limiter, 'other', 30)).toBe(20)
  })
})
