import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRedis, RedisUnavailable } from '@scale/redis'
import { afterAll, describe, expect, it } from 'vitest'
import { MemoryStore, type RateLimit, type RateLimitOptions, rateLimit, user } from '../src/index.js'
import { redis } from './own-redis.js'

// What a decision takes, who may correct it, and what others are told meanwhile.

const gone = createRedis('redis://127.0.0.1:1')
afterAll(() => gone.disconnect())

let prefixes = 0
const ann = user('ann')
const policy = { name: 'burst', quota: 10, windowMs: 600_000 }

function limit(options: Partial<RateLimitOptions> = {}): RateLimit {
  return rateLimit({
    ...(options.store === undefined ? { redis } : {}),
    prefix: `reservation:${++prefixes}`,
    policies: [policy],
    settle: true,
    ...options,
  })
}

async function left(limiter: RateLimit): Promise<number> {
  return (await limiter.peek(ann)).policies[0]!.remaining
}

/** A request, once `next` has been called for it. */
function pass(limiter: RateLimit, fields: object = {}): Promise<IncomingMessage> {
  const req = { headers: {}, socket: {}, ip: '192.0.2.1', ...fields } as unknown as IncomingMessage
  const res = { headersSent: true, writeHead() {}, setHeader() {}, once() {} } as unknown as ServerResponse
  return new Promise((resolve) => limiter(req as never, res, () => resolve(req)))
}

describe.each([
  ['in Redis', (): Partial<RateLimitOptions> => ({ redis, onStoreError: 'closed' })],
  ['in process', (): Partial<RateLimitOptions> => ({ store: new MemoryStore() })],
])('%s', (_, kept) => {
  it('what took nothing gives nothing back: a refusal, and a look', async () => {
    const limiter = limit(kept())
    const looked = await limiter.peek(ann)
    await limiter.consume(ann, 8)
    const refused = await limiter.consume(ann, 3)
    expect(refused.allowed).toBe(false)
    for (const decision of [looked, refused]) {
      await limiter.settle(decision, 0)
      await limiter.settle(decision, 9)
    }
    expect(await left(limiter)).toBe(2)
  })

  it('a decision is corrected once', async () => {
    const limiter = limit(kept())
    const decision = await limiter.consume(ann, 8)
    await Promise.all([limiter.settle(decision, 5), limiter.settle(decision, 0)])
    expect(await left(limiter)).toBe(5)
  })

  it('a policy of which nothing is said keeps what it took', async () => {
    const limiter = limit({ ...kept(), policies: [policy, { ...policy, name: 'units', cost: 4 }] })
    const decision = await limiter.consume(ann)
    await limiter.settle(decision, { burst: 0 })
    const { policies } = await limiter.peek(ann)
    expect(policies.map(({ remaining }) => remaining)).toEqual([10, 6])
  })

  it('a look is refused if one policy would refuse', async () => {
    const limiter = limit({ ...kept(), policies: [policy, { ...policy, name: 'narrow', quota: 1 }] })
    await limiter.consume(ann)
    expect((await limiter.peek(ann)).allowed).toBe(false)
    expect((await limiter.peek(ann, { burst: 1, narrow: 0 })).allowed).toBe(true)
  })

  it('what is asked in one turn is decided in its order, each by its own cost', async () => {
    const limiter = limit(kept())
    const decisions = await Promise.all([
      limiter.peek(ann),
      limiter.consume(ann, 1),
      limiter.consume(ann, 3),
      limiter.peek(ann),
      limiter.consume(ann, 3),
      limiter.consume(ann, 3),
      limiter.consume(ann, 1),
    ])
    expect(decisions.map(({ allowed, policies }) => [allowed, policies[0]!.remaining])).toEqual([
      [true, 10],
      [true, 9],
      [true, 6],
      [true, 6],
      [true, 3],
      [true, 0],
      [false, 0],
    ])
    expect(await left(limiter)).toBe(0)
  })

  it('a settle that is a function is asked for no request that was refused', async () => {
    const asked: unknown[] = []
    const limiter = limit({
      ...kept(),
      policies: [{ ...policy, quota: 1 }],
      settle: (req) => {
        asked.push(req)
        return 0
      },
    })
    const finishers: (() => Promise<void>)[] = []
    const ask = (): Promise<unknown> =>
      new Promise((resolve) => {
        const req = { headers: {}, socket: {}, ip: '192.0.2.1' }
        const once = (name: string, act: () => Promise<void>): void => {
          expect(name).toBe('finish')
          finishers.push(act)
        }
        limiter(req as never, { once, writeHead() {}, setHeader() {} } as never, resolve)
      })
    expect(await ask()).toBeUndefined()
    expect(await ask()).toMatchObject({ status: 429 })
    for (const finish of finishers) await finish()
    expect(asked).toHaveLength(1)
  })

  it('decisionOf tells what was decided, and nothing of what was not', async () => {
    const limiter = limit({ ...kept(), skip: (req) => req.url === '/skipped' })
    const req = await pass(limiter)
    expect(limiter.decisionOf(req as never)).toMatchObject({ allowed: true, policies: [{ remaining: 9 }] })
    expect(limiter.decisionOf((await pass(limiter, { url: '/skipped' })) as never)).toBeUndefined()
    expect(limiter.decisionOf({ headers: {} } as never)).toBeUndefined()
  })
})

describe('while Redis is away', () => {
  it('what this process took is given back here', async () => {
    const limiter = limit({ redis: gone })
    const decision = await limiter.consume(ann, 10)
    expect(decision.source).toBe('fallback')
    await limiter.settle(decision, 4)
    expect(await left(limiter)).toBe(6)
  })

  it('who is forgiven is so in this process, though Redis does not hear of it', async () => {
    const limiter = limit({ redis: gone })
    await limiter.consume(ann, 10)
    await expect(limiter.reset(ann)).rejects.toBeInstanceOf(RedisUnavailable)
    expect(await left(limiter)).toBe(10)
  })

  it.each([
    ['local', 19],
    ['open', Number.POSITIVE_INFINITY],
    ['closed', 0],
  ] as const)('%s: the bound says so', (onStoreError, mostWithoutStore) => {
    expect(limit({ redis: gone, onStoreError }).bound()).toMatchObject([{ most: 19, mostWithoutStore }])
  })
})

describe('a refusal that is remembered', () => {
  it('gives way to a longer one, to what is given back, and to whoever looks', async () => {
    const limiter = limit({ onStoreError: 'closed', policies: [{ ...policy, windowMs: 30_000 }] })
    const decision = await limiter.consume(ann, 10)
    expect((await limiter.consume(ann)).source).toBe('redis')
    expect((await limiter.consume(ann)).source).toBe('block')
    expect(await limiter.peek(ann)).toMatchObject({ allowed: false, source: 'redis' })
    await limiter.penalize(ann, { blockMs: 90_000 })
    expect((await limiter.consume(ann)).retryAfterMs).toBeGreaterThan(60_000)
    await limiter.reset(ann)
    await limiter.consume(ann, 10)
    expect((await limiter.consume(ann)).allowed).toBe(false)
    await limiter.settle(decision, 0)
    expect((await limiter.consume(ann)).source).toBe('redis')
  })
})

describe('leased', () => {
  const leases = { mode: 'leased', leaseMs: 60_000, onStoreError: 'closed' } as const
  const thousand = { ...policy, quota: 1_000 }

  it('each is told what is left after it', async () => {
    const limiter = limit({ ...leases, policies: [thousand] })
    const told: number[] = []
    for (let request = 0; request < 50; request++)
      told.push((await limiter.consume(ann)).policies[0]!.remaining)
    expect(told).toEqual(Array.from({ length: 50 }, (_, index) => 999 - index))
    await limiter.close()
  })

  it('what is given back is units, and a request of another cost is not paid by a lease for this one', async () => {
    const limiter = limit({ ...leases, policies: [thousand] })
    let taken = 0
    for (const cost of [3, 3, 3, 3, 3, 5, 3, 7, 7, 7, 7, 3]) {
      expect((await limiter.consume(ann, cost)).allowed).toBe(true)
      taken += cost
    }
    await limiter.close()
    expect(await left(limiter)).toBe(1_000 - taken)
  })

  it('a strict window is counted for as long as leases live longer than it', async () => {
    const limiter = limit({
      ...leases,
      prefix: 'reservation:strict',
      policies: [{ ...thousand, algorithm: 'strict', windowMs: 60_000 }],
    })
    await limiter.consume(ann)
    await limiter.close()
    const [, keys] = (await redis.call('scan', [
      '0',
      'match',
      'reservation:strict:*{*',
      'count',
      '1000',
    ])) as [string, string[]]
    expect(keys).toHaveLength(1)
    // Ten buckets of 12 s, and the one that is being filled.
    expect(Number(await redis.call('pttl', [keys[0]!]))).toBeGreaterThan(115_000)
  })
})
