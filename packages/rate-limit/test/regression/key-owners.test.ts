// Two limiters without a name, each with a policy `burst`, spent each other's quotas in Redis: 20 calls under a quota of 100 used up a
// login quota of 5. In memory they did not, so that nobody saw it before production.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RateLimit, type RateLimitOptions, rateLimit, user } from '../../src/index.js'

let server: RedisServer
let redis: ReturnType<typeof createRedis>
let other: ReturnType<typeof createRedis>
let prefixes = 0

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url)
  other = createRedis(server.url)
  await Promise.all([whenReady(redis, 5_000), whenReady(other, 5_000)])
})
afterAll(async () => {
  redis.disconnect()
  other.disconnect()
  await server.stop()
})

const burst = (quota: number) => ({ policies: [{ name: 'burst', quota, windowMs: 60_000 }] })
const places = ['this process', 'a client', 'another client'] as const
const kept = (place: (typeof places)[number]): Partial<RateLimitOptions> =>
  place === 'this process' ? {} : { redis: place === 'a client' ? redis : other }

describe.each(places.slice(0, 2))('in %s', (place) => {
  it('a second limiter of the same name is refused, with the sentence that says what to do', async () => {
    const prefix = `owners:${++prefixes}`
    const login = rateLimit({ ...kept(place), prefix, ...burst(5) })
    expect(() => rateLimit({ ...kept(place), prefix, ...burst(100) })).toThrow(
      /another limiter is named `default` .* Give each a `name` of its own.* call `close\(\)`/,
    )
    const api = rateLimit({ ...kept(place), prefix, name: 'api', ...burst(100) })
    for (let call = 0; call < 20; call++) await api.consume(user('ann'))
    expect((await login.consume(user('ann'))).allowed).toBe(true)
  })

  it('one that takes the place of another does so after close(), which does not take the name from it again', async () => {
    const options = { ...kept(place), prefix: `owners:${++prefixes}`, ...burst(5) }
    const first = rateLimit(options)
    await first.close()
    const second = rateLimit(options)
    await first.close()
    expect(() => rateLimit(options)).toThrow(/another limiter/)
    expect((await first.consume(user('ann'))).allowed).toBe(true)
    expect((await second.consume(user('ann'))).allowed).toBe(true)
  })

  it('one that is refused for its options does not have the name', () => {
    const options = { ...kept(place), prefix: `owners:${++prefixes}`, ...burst(5) }
    expect(() => rateLimit({ ...options, leaseMs: -1 })).toThrow(/leaseMs/)
    expect(() => rateLimit(options)).not.toThrow()
  })

  it.each(['exact', 'leased', 'local'] as const)(
    '%s: one that nobody can reach has no name',
    async (mode) => {
      setFlagsFromString('--expose-gc')
      const collect = runInNewContext('gc') as () => void
      const options = { ...kept(place), mode, prefix: `owners:${++prefixes}`, ...burst(5) }
      await (async () => {
        const limiter = rateLimit({ ...options, leaseMs: 10 })
        await limiter.consume(user('ann'))
      })()
      await expect
        .poll(
          () => {
            collect()
            rateLimit(options)
            return 'made'
          },
          { timeout: 10_000 },
        )
        .toBe('made')
    },
  )

  it('one of which only a method is kept has its name', async () => {
    const options = { ...kept(place), prefix: `owners:${++prefixes}`, ...burst(5) }
    const { consume } = rateLimit(options)
    const collect = runInNewContext('gc') as () => void
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setImmediate(resolve))
      collect()
    }
    expect(() => rateLimit(options)).toThrow(/another limiter/)
    expect((await consume(user('ann'))).allowed).toBe(true)
  })
})

it('of all pairs, those that are made never spend from each other, but for copies of one', async () => {
  const text = fc.constantFrom('a', 'a:b', 'b', 'burst', ' ', '{a}', 'default')
  const limiter = fc.record({
    place: fc.constantFrom(...places),
    prefix: fc.constantFrom('a', 'a:b', 'b'),
    name: text,
    policies: fc.uniqueArray(text, { minLength: 1, maxLength: 3 }),
    own: fc.boolean(),
    algorithm: fc.constantFrom('fixed' as const, 'strict' as const, 'token-bucket' as const),
    mode: fc.constantFrom('exact' as const, 'leased' as const),
  })
  await fc.assert(
    fc.asyncProperty(limiter, limiter, text, async (one, two, who) => {
      const run = `pairs:${++prefixes}`
      const make = ({ place, prefix, name, policies, own, algorithm, mode }: typeof one): RateLimit =>
        rateLimit({
          ...kept(place),
          prefix: `${run}:${prefix}`,
          name,
          mode,
          onStoreError: 'closed',
          deadlineMs: 10_000,
          policies: policies.map((policy) => ({
            name: policy,
            quota: 50,
            windowMs: 600_000,
            algorithm,
            ...(own ? { partitionKey: () => user(who) } : {}),
          })),
        })
      const isSame = one.prefix === two.prefix && one.name === two.name
      const isTwice = isSame && one.place === two.place
      const first = make(one)
      try {
        if (isTwice) {
          expect(() => make(two)).toThrow(/another limiter/)
          return
        }
        const second = make(two)
        try {
          const isCopy = isSame && one.place !== 'this process' && two.place !== 'this process'
          if (isCopy) return
          for (let call = 0; call < 10; call++) await first.consume(user(who))
          for (const { remaining } of (await second.peek(user(who))).policies) expect(remaining).toBe(50)
        } finally {
          await second.close()
        }
      } finally {
        await first.close()
      }
    }),
    { numRuns: 150 },
  )
})
