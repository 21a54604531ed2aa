import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createRedis, whenReady } from '@scale/redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rateLimit, user } from '../src/index.js'
import { fleetOf } from '../src/stores/fleet.js'
import { redis, server } from './own-redis.js'
import { random } from './random.js'

let prefixes = 0

let children: ChildProcess[]

/** Four processes of 16 connections each ask for one key; gives how many were admitted. */
async function hammer(mode: 'exact' | 'leased', quota: number, requests: number): Promise<number> {
  const prefix = `hammer:${++prefixes}`
  const answers = children.map((child) => once(child, 'message'))
  for (const child of children) child.send({ prefix, mode, quota, requests: requests / children.length })
  return (await Promise.all(answers)).reduce((sum, [count]) => sum + Number(count), 0)
}

async function scripts(): Promise<number> {
  const stats = String(await redis.call('info', ['commandstats']))
  return ['evalsha', 'eval'].reduce(
    (sum, name) => sum + Number(stats.match(new RegExp(`cmdstat_${name}:calls=(\\d+)`))?.[1] ?? 0),
    0,
  )
}

describe('64 connections of 4 processes on one key', () => {
  beforeAll(async () => {
    children = Array.from({ length: 4 }, () =>
      fork(fileURLToPath(new URL('hammer.ts', import.meta.url)), [server.url], {
        execArgv: ['--conditions=@scale/source', '--import', 'tsx'],
      }),
    )
    await Promise.all(children.map((child) => once(child, 'message')))
  }, 30_000)
  afterAll(async () => {
    const exits = children.map((child) => once(child, 'exit'))
    for (const child of children) child.disconnect()
    await Promise.all(exits)
  })

  it('are admitted exactly 1,000 times', async () => {
    expect(await hammer('exact', 1_000, 8_192)).toBe(1_000)
  })

  it('leased, are never admitted more; what others have taken and not spent is half at most', async () => {
    const allowed = await hammer('leased', 1_000, 8_192)
    expect(allowed).toBeLessThanOrEqual(1_000)
    expect(allowed).toBeGreaterThanOrEqual(500)
  })
})

describe('commands', () => {
  const policies = [1, 2, 3].map((index) => ({ name: `p${index}`, quota: 1_000, windowMs: 60_000 * index }))

  it.each([
    ['one policy', policies.slice(0, 1)],
    ['three policies', policies],
  ])('%s: one for a request', async (_, given) => {
    const limiter = rateLimit({
      redis,
      prefix: `trips:${++prefixes}`,
      policies: given,
      onStoreError: 'closed',
    })
    await limiter.consume(user('warm'))
    const before = await scripts()
    for (let request = 0; request < 10; request++) await limiter.consume(user('key'))
    expect((await scripts()) - before).toBe(10)
  })

  it('none for a request that is refused again', async () => {
    const limiter = rateLimit({
      redis,
      prefix: `trips:${++prefixes}`,
      onStoreError: 'closed',
      policies: [{ name: 'p', quota: 1, windowMs: 60_000 }],
    })
    await limiter.consume(user('key'))
    expect(await limiter.consume(user('key'))).toMatchObject({ allowed: false, source: 'redis' })
    const before = await scripts()
    for (let request = 0; request < 100; request++) {
      expect(await limiter.consume(user('key'))).toMatchObject({ allowed: false, source: 'block' })
    }
    expect((await scripts()) - before).toBe(0)
  })

  it('one for a hundred requests or more, leased, at a quota of 10,000 over 4 processes', async () => {
    const quota = 10_000
    // As of four processes: each with a client, and so with leases, of its own.
    const clients = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const client = createRedis(server.url, { guard: { deadlineMs: 10_000 } })
        await whenReady(client, 5_000)
        return client
      }),
    )
    const prefix = `trips:${++prefixes}`
    try {
      const limiters = clients.map((client) =>
        rateLimit({
          redis: client,
          prefix,
          mode: 'leased',
          leaseMs: 10_000,
          policies: [{ name: 'p', quota, windowMs: 60_000 }],
        }),
      )
      // Each has counted the others once all four have been heard of.
      for (const client of [...clients, ...clients])
        await fleetOf(client, { prefix, name: 'default' }, (error) => expect.fail(String(error))).beat()
      for (const limiter of limiters) expect(limiter.bound()[0]!.mostWithoutStore).toBe(4 * (quota / 2 - 1))
      const before = await scripts()
      let allowed = 0
      await Promise.all(
        limiters.map(async (limiter) => {
          for (let request = 0; request < quota / 4; request++)
            if ((await limiter.consume(user('key'))).allowed) allowed++
        }),
      )
      const trips = (await scripts()) - before
      expect(allowed).toBeLessThanOrEqual(quota)
      expect(allowed).toBeGreaterThan(0.95 * quota)
      expect(allowed / trips).toBeGreaterThanOrEqual(100)
    } finally {
      for (const client of clients) client.disconnect()
    }
  })

  it('one for two limiters in the same turn', async () => {
    const [one, two] = ['one', 'two'].map((name) =>
      rateLimit({ redis, prefix: `trips:${prefixes}`, name, policies, onStoreError: 'closed' }),
    )
    await one!.consume(user('warm'))
    const before = await scripts()
    const decisions = await Promise.all([
      one!.consume(user('key')),
      two!.consume(user('key')),
      one!.consume(user('other')),
    ])
    expect(decisions.every(({ allowed }) => allowed)).toBe(true)
    expect((await scripts()) - before).toBe(1)
  })

  it('again after a second, for a client that another process has forgiven', async () => {
    const other = createRedis(server.url)
    await whenReady(other, 5_000)
    try {
      const shared = {
        prefix: `trips:${++prefixes}`,
        onStoreError: 'closed' as const,
        policies: [{ name: 'p', quota: 1, windowMs: 600_000 }],
      }
      const here = rateLimit({ redis, ...shared })
      await here.consume(user('key'))
      expect((await here.consume(user('key'))).allowed).toBe(false)
      await rateLimit({ redis: other, ...shared }).reset(user('key'))
      // It stands for the second that is promised, and not for the ten minutes of the window.
      await expect
        .poll(async () => (await here.consume(user('key'))).allowed, { timeout: 5_000, interval: 20 })
        .toBe(true)
    } finally {
      other.disconnect()
    }
  })

  it('merges equal requests of one turn into one, and tells each what was left', async () => {
    const limiter = rateLimit({
      redis,
      prefix: `trips:${++prefixes}`,
      onStoreError: 'closed',
      policies: [{ name: 'p', quota: 5, windowMs: 60_000 }],
    })
    const before = await scripts()
    const decisions = await Promise.all(Array.from({ length: 8 }, () => limiter.consume(user('key'))))
    expect((await scripts()) - before).toBeLessThanOrEqual(2) // the text of the script, if it was not known
    expect(decisions.map(({ allowed, policies: [p] }) => [allowed, p!.remaining])).toEqual([
      [true, 4],
      [true, 3],
      [true, 2],
      [true, 1],
      [true, 0],
      [false, 0],
      [false, 0],
      [false, 0],
    ])
  })
})

describe('keys', () => {
  it('all have an expiry after 100,000 operations of every kind', async () => {
    const prefix = `expiry:${++prefixes}`
    const limiters = (['fixed', 'strict', 'token-bucket'] as const).map((algorithm) =>
      rateLimit({
        redis,
        prefix,
        name: algorithm,
        settle: true,
        policies: [
          { name: 'short', quota: 20, windowMs: 300, algorithm },
          { name: 'long', quota: 1_000, windowMs: 3_600_000, algorithm },
        ],
      }),
    )
    const rng = random('expiry')
    for (let batch = 0; batch < 200; batch++) {
      await Promise.all(
        Array.from({ length: 500 }, async () => {
          const limiter = rng.oneOf(limiters)
          const key = `k${rng.integer(300)}`
          const roll = rng.unit()
          if (roll < 0.8) {
            const decision = await limiter.consume(user(key), 1 + rng.integer(3))
            if (rng.unit() < 0.3) await limiter.settle(decision, rng.integer(5))
          } else if (roll < 0.9) await limiter.peek(user(key))
          else if (roll < 0.95) await limiter.penalize(user(key), { blockMs: 1 + rng.integer(500) })
          else await limiter.reset(user(key))
        }),
      )
    }
    const keys = await keysUnder(prefix)
    expect(keys.length).toBeGreaterThan(1_000)
    const lives = await Promise.all(
      keys.map(async (key) => [key, Number(await redis.call('pttl', [key]))] as const),
    )
    // -2: it has expired since the list was made.
    expect(lives.filter(([, life]) => life < 0 && life !== -2)).toEqual([])
  })

  async function keysUnder(prefix: string): Promise<string[]> {
    const found: string[] = []
    let cursor = '0'
    do {
      const [next, keys] = (await redis.call('scan', [cursor, 'match', `${prefix}:*`, 'count', '1000'])) as [
        string,
        string[],
      ]
      cursor = next
      found.push(...keys)
    } while (cursor !== '0')
    return found
  }
})
