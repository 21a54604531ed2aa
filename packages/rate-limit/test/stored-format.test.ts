import { describe, expect, it } from 'vitest'
import { address, type RateLimit, rateLimit } from '../src/index.js'
import { redis } from './own-redis.js'

// What processes of another version have written is read, and they read what is written here. A change of anything below needs a
// new version in the keys, and a table of its own beside this one.

const DAY_MS = 86_400_000
const algorithms = ['fixed', 'strict', 'token-bucket'] as const

let runs = 0

const who = '{ip:203.0.113.7}:api:'
/** Keys of version 1, with what they hold when 3 of 10 are spent, and when all is blocked for an hour as it was before penalties were
 * numbers of their own. */
const version1 = {
  fixed: {
    key: `${who}burst:fixed:86400000`,
    spent: () => '3',
    blocked: () => '4503599627370496',
  },
  strict: {
    key: `${who}burst:strict-10:86400000`,
    spent: (nowMs: number) => `${Math.floor(nowMs / 8_640_000)} 0 0 0 0 0 0 0 0 0 0 3`,
    blocked: (nowMs: number) => `${Math.floor(nowMs / 8_640_000)} 0 0 0 0 0 0 0 0 0 0 4503599627370496`,
  },
  'token-bucket': {
    key: `${who}burst:token-bucket:86400000`,
    spent: (nowMs: number) => `${7 * DAY_MS} ${nowMs}`,
    blocked: (nowMs: number) => `${DAY_MS - 1} ${nowMs + 3_600_000}`,
  },
}

describe.each(algorithms)('version 1, %s', (algorithm) => {
  const { key, spent, blocked } = version1[algorithm]
  const limiterOf = (prefix: string): RateLimit =>
    rateLimit({
      redis,
      prefix,
      name: 'api',
      onStoreError: 'closed',
      policies: [{ name: 'burst', quota: 10, windowMs: DAY_MS, algorithm }],
    })
  const subject = address('203.0.113.7')
  const now = async (): Promise<number> => {
    const [seconds, micros] = (await redis.call('time', [])) as [string, string]
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
  }

  it('is written', async () => {
    const prefix = `format:${++runs}`
    const limiter = limiterOf(prefix)
    const before = await now()
    await limiter.consume(subject, 3)
    const after = await now()
    const text = String(await redis.call('get', [`${prefix}:rate-limit:1:${key}`]))
    const [low, high] = [spent(before).split(' '), spent(after).split(' ')]
    for (const [index, part] of text.split(' ').entries()) {
      expect(Number(part)).toBeGreaterThanOrEqual(Number(low[index]))
      expect(Number(part)).toBeLessThanOrEqual(Number(high[index]))
    }
    expect(text.split(' ')).toHaveLength(low.length)
    await limiter.penalize(subject, { blockMs: 60_000 })
    const penalized = String(await redis.call('get', [`${prefix}:rate-limit:1:${key}`]))
    const [, endsAt, ...state] = penalized.match(/^!(\d+) (.*)$/)!
    expect(Number(endsAt)).toBeGreaterThanOrEqual(after + 60_000)
    expect(Number(endsAt)).toBeLessThanOrEqual((await now()) + 60_000)
    // The counter of a fixed window has the end of its window for once beside it.
    expect(state[0]!.replace(/^3 \d+$/, '3')).toBe(text)
  })

  it('is read', async () => {
    const prefix = `format:${++runs}`
    const limiter = limiterOf(prefix)
    await redis.call('set', [`${prefix}:rate-limit:1:${key}`, spent(await now()), 'PX', DAY_MS])
    expect((await limiter.peek(subject)).policies[0]!.remaining).toBe(7)
    await redis.call('set', [`${prefix}:rate-limit:1:${key}`, blocked(await now()), 'PX', 3_600_000])
    const { retryAfterMs, policies } = await limiter.peek(subject)
    expect(policies[0]!.remaining).toBe(0)
    expect(retryAfterMs).toBeGreaterThan(3_500_000)
    await limiter.reset(subject)
    await redis.call('set', [`${prefix}:rate-limit:1:${key}`, `!${(await now()) + 60_000}`, 'PX', 60_000])
    expect((await limiter.consume(subject)).retryAfterMs).toBeGreaterThan(50_000)
  })
})
