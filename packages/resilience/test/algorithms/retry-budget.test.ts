import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backoffMs } from '../../src/algorithms/backoff.js'
import { RetryBudget } from '../../src/algorithms/retry-budget.js'

it('allows the burst and then a share of the calls', () => {
  const budget = new RetryBudget(0.1, 3)
  const taken = Array.from({ length: 100 }, () => {
    budget.deposit()
    return budget.withdraw()
  })
  expect(taken.filter(Boolean)).toHaveLength(12)
})

it('never allows more in any stretch of calls than share and burst (generated)', () => {
  const steps = fc.array(fc.constantFrom('call', 'repeat', 'repeat'), { maxLength: 400 })
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(20), steps, (ratio, burst, all) => {
      const budget = new RetryBudget(ratio, burst)
      let most = burst
      let calls = 0
      let repeated = 0
      for (const step of all) {
        if (step === 'call') {
          calls++
          budget.deposit()
          // Half a thousandth per call is lost or won by rounding.
          most = burst + calls * (ratio + 0.0005)
        } else if (budget.withdraw()) repeated++
        expect(repeated).toBeLessThanOrEqual(most + 1e-9)
      }
    }),
  )
})

it('pauses for anything up to twice as long as before, and no longer than the longest (generated)', () => {
  const random = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.nat(40), random, (repeated, chance) => {
      const ms = backoffMs(repeated, 50, 2_000, chance)
      expect(ms).toBeGreaterThanOrEqual(0)
      expect(ms).toBeLessThanOrEqual(Math.min(2_000, 50 * 2 ** repeated))
    }),
  )
  expect(backoffMs(2, 50, 2_000, 1)).toBe(200)
  expect(backoffMs(10, 50, 2_000, 1)).toBe(2_000)
})
