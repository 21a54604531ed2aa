// A penalty ended early for a user whose quota was larger than the one that it had been written with.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createQuota } from '../../src/algorithms/quota.js'
import type { AlgorithmName } from '../../src/index.js'
import type { Charge, QuotaStore } from '../../src/store.js'
import { LeasedStore } from '../../src/stores/leased.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { RedisStore } from '../../src/stores/redis.js'
import { redis } from '../own-redis.js'

let keys = 0

const leased = (): LeasedStore =>
  new LeasedStore(new RedisStore(redis), {
    leaseMs: 60_000,
    processes: () => 1,
    maxKeys: 1_000,
    onError: (error) => expect.fail(String(error)),
  })
const kinds: [string, () => QuotaStore][] = [
  ['memory', () => new MemoryStore()],
  ['Redis', () => new RedisStore(redis)],
  ['leases', leased],
]
const names = ['fixed', 'strict', 'token-bucket'] as const
const quotaOf = (algorithm: AlgorithmName, quota: number, burst = quota) =>
  createQuota('p', { algorithm, quota, burst, windowMs: 600_000 })

describe.each(kinds)('in %s', (_, make) => {
  it('a penalty holds for any quota, burst and cost, whatever is spent and given back meanwhile', async () => {
    const quotas = fc.record({
      quota: fc.integer({ min: 1, max: 5_000 }),
      burst: fc.integer({ min: 1, max: 9_000 }),
    })
    const step = fc.record({
      verb: fc.constantFrom('consume' as const, 'charge' as const, 'refund' as const, 'penalize' as const),
      terms: quotas,
      units: fc.integer({ min: 1, max: 20 }),
      blockMs: fc.integer({ min: 1, max: 900_000 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        quotas,
        fc.integer({ min: 300_000, max: 900_000 }),
        fc.array(step, { maxLength: 8 }),
        async (algorithm, terms, blockMs, steps) => {
          const store = make()
          const tag = `penalties:{${++keys}}`
          const chargeOf = (one: typeof terms, cost = 1): Charge => ({
            key: tag,
            quota: quotaOf(algorithm, one.quota, one.burst),
            cost,
          })
          const { balances } = await store.consume([chargeOf(terms)], 1, 1)
          const { windowId } = balances[0]!
          await store.penalize([chargeOf(terms)], blockMs)
          let longest = blockMs
          for (const { verb, terms: own, units, blockMs: other } of steps) {
            const charge = chargeOf(own, units)
            if (verb === 'consume') expect((await store.consume([charge], 1, 1)).granted).toBe(0)
            else if (verb === 'penalize') {
              await store.penalize([charge], other)
              longest = Math.max(longest, other)
            } else {
              await store.settle([{ ...charge, units: verb === 'charge' ? units : -units, windowId }])
            }
          }
          const after = await store.consume([chargeOf({ quota: 5_000, burst: 9_000 })], 1, 1)
          expect(after.granted).toBe(0)
          expect(after.balances[0]!.waitMs).toBeGreaterThan(longest - 10_000)
          expect(after.balances[0]!.waitMs).toBeLessThanOrEqual(Math.max(longest, 600_000 * 21))
          await store.reset([chargeOf(terms)])
          expect((await store.consume([chargeOf(terms)], 1, 1)).granted).toBe(1)
        },
      ),
      { numRuns: 60 },
    )
  })
})

it('is not put out of memory by a flood of other keys, or of other penalties', async () => {
  const store = new MemoryStore({ maxKeys: 100, clock: () => 0 })
  const charge = (name: string): Charge => ({ key: name, quota: quotaOf('fixed', 5), cost: 1 })
  const isPenalized = (name: string): boolean => store.consume([charge(name)], 0, 1).balances[0]!.waitMs > 0
  for (let index = 0; index < 50; index++) store.penalize([charge(`${index}`)], 60_000)
  for (let index = 50; index < 5_000; index++) store.consume([charge(`${index}`)], 1, 1)
  for (let index = 5_000; index < 5_100; index++) store.penalize([charge(`${index}`)], 60_000)
  for (let index = 0; index < 50; index++) expect(isPenalized(`${index}`)).toBe(true)
  for (let index = 5_000; index < 5_100; index++) expect(isPenalized(`${index}`)).toBe(true)
})

it('a penalty gives back what was taken in advance, also what is still being asked for', async () => {
  const charge: Charge = {
    key: `penalties:{${++keys}}`,
    quota: quotaOf('fixed', 10_000),
    cost: 1,
  }
  const store = leased()
  for (let request = 0; request < 50; request++) await store.consume([charge], 1, 1)
  const asked = Array.from({ length: 200 }, () => store.consume([charge], 1, 1))
  await store.penalize([charge], 1_000)
  const spent = 50 + (await Promise.all(asked)).reduce((sum, { granted }) => sum + granted, 0)
  await store.close()
  const shared = new RedisStore(redis)
  await expect
    .poll(async () => (await shared.consume([charge], 0, 1)).balances[0]!.remaining, { timeout: 10_000 })
    .toBe(10_000 - spent)
})
