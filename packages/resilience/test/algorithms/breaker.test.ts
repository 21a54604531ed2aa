import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Breaker, type BreakerPolicy, type BreakerState, type Verdict } from '../../src/algorithms/breaker.js'

const POLICY: BreakerPolicy = { failureRatio: 0.5, windowMs: 10_000, minCalls: 4, openMs: 5_000, probes: 2 }

function breaker(policy: Partial<BreakerPolicy> = {}): { one: Breaker; changes: BreakerState[] } {
  const changes: BreakerState[] = []
  return { one: new Breaker({ ...POLICY, ...policy }, (state) => changes.push(state)), changes }
}

function calls(one: Breaker, verdicts: Verdict[], nowMs: number): void {
  for (const verdict of verdicts) one.report(one.admit(nowMs)!, verdict, nowMs)
}

it('opens when the share has failed, of enough calls', () => {
  const { one } = breaker()
  calls(one, ['failed', 'failed', 'failed'], 0)
  expect(one.state).toBe('closed')
  calls(one, ['failed'], 1)
  expect(one.state).toBe('open')
  expect(one.admit(4_999)).toBeUndefined()
})

it('stays closed while less than the share fails', () => {
  const { one } = breaker()
  calls(one, ['ok', 'ok', 'ok', 'failed', 'failed', 'ok', 'failed', 'ok'], 0)
  expect(one.state).toBe('closed')
})

it('has forgotten what happened before a pause of any length', () => {
  const { one } = breaker()
  calls(one, ['failed', 'failed', 'failed'], 0)
  calls(one, ['failed'], 300_000)
  expect(one.state).toBe('closed')
})

it('does not count a call that says nothing', () => {
  const { one } = breaker()
  calls(one, Array<Verdict>(100).fill('none'), 0)
  calls(one, ['failed', 'failed', 'failed'], 0)
  expect(one.state).toBe('closed')
})

describe('half-open', () => {
  function halfOpen(): ReturnType<typeof breaker> {
    const made = breaker()
    calls(made.one, ['failed', 'failed', 'failed', 'failed'], 0)
    return made
  }

  it('lets exactly the probes through, and refuses the others', () => {
    const { one } = halfOpen()
    expect([one.admit(5_000), one.admit(5_000), one.admit(5_000)]).toEqual([2, 2, undefined])
  })

  it('closes when each of the probes went well, and begins anew', () => {
    const { one, changes } = halfOpen()
    calls(one, ['ok', 'ok'], 5_000)
    calls(one, ['failed', 'failed', 'failed'], 5_001)
    expect(changes).toEqual(['open', 'half-open', 'closed'])
  })

  it('opens again with the first that fails, for the whole time', () => {
    const { one } = halfOpen()
    calls(one, ['ok', 'failed'], 6_000)
    expect(one.admit(10_999)).toBeUndefined()
    expect(one.admit(11_000)).toBeDefined()
  })

  it('gives the place of a probe that says nothing to another', () => {
    const { one } = halfOpen()
    calls(one, ['none', 'none', 'none', 'ok', 'none', 'ok'], 5_000)
    expect(one.state).toBe('closed')
  })

  it('does not hear what began before it opened', () => {
    const { one } = breaker()
    const early = one.admit(0)!
    calls(one, ['failed', 'failed', 'failed', 'failed'], 0)
    const probe = one.admit(5_000)!
    one.report(early, 'failed', 5_001)
    expect(one.state).toBe('half-open')
    one.report(early, 'ok', 5_001)
    one.report(probe, 'ok', 5_002)
    expect(one.state).toBe('half-open')
  })
})

/** The same as drawn, with all calls remembered one by one. */
class Drawn {
  state: BreakerState = 'closed'
  #calls: { failed: boolean; bucket: number }[] = []
  #openedAt = 0
  #probes: ('under way' | 'ok')[] = []
  #period = 0

  constructor(readonly policy: BreakerPolicy) {}

  admit(nowMs: number): number | undefined {
    if (this.state === 'open' && nowMs - this.#openedAt >= this.policy.openMs) this.#go('half-open', nowMs)
    if (this.state === 'open') return undefined
    if (this.state === 'half-open') {
      if (this.#probes.length >= this.policy.probes) return undefined
      this.#probes.push('under way')
    }
    return this.#period
  }

  report(period: number, verdict: Verdict, nowMs: number): void {
    if (period !== this.#period) return
    if (this.state === 'half-open') {
      this.#probes.splice(this.#probes.indexOf('under way'), 1)
      if (verdict === 'ok') this.#probes.push('ok')
      if (verdict === 'failed') this.#go('open', nowMs)
      else if (this.#probes.filter((probe) => probe === 'ok').length === this.policy.probes)
        this.#go('closed', nowMs)
    } else if (verdict !== 'none') {
      const bucket = Math.floor(nowMs / (this.policy.windowMs / 10))
      this.#calls.push({ failed: verdict === 'failed', bucket })
      const recent = this.#calls.filter((call) => call.bucket > bucket - 10)
      const failures = recent.filter(({ failed }) => failed).length
      const isBad =
        recent.length >= this.policy.minCalls && failures >= recent.length * this.policy.failureRatio
      if (verdict === 'failed' && isBad) this.#go('open', nowMs)
    }
  }

  #go(state: BreakerState, nowMs: number): void {
    this.state = state
    this.#period++
    this.#probes = []
    if (state === 'open') this.#openedAt = nowMs
    if (state === 'closed') this.#calls = []
  }
}

it('opens and closes as drawn, whatever happens when (generated)', () => {
  const step = fc.record({
    afterMs: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 30_000 })),
    /** Which of the calls under way ends; none if it is beyond them, and then one begins. */
    ends: fc.nat(6),
    verdict: fc.constantFrom<Verdict>('ok', 'failed', 'failed', 'none'),
  })
  const policies = fc.record({
    failureRatio: fc.double({ min: 0.1, max: 1, noNaN: true }),
    windowMs: fc.integer({ min: 100, max: 20_000 }),
    minCalls: fc.integer({ min: 1, max: 8 }),
    openMs: fc.integer({ min: 1, max: 10_000 }),
    probes: fc.integer({ min: 1, max: 4 }),
  })
  fc.assert(
    fc.property(policies, fc.array(step, { maxLength: 200 }), (policy, steps) => {
      const one = new Breaker(policy, () => {})
      const drawn = new Drawn(policy)
      const underWay: [number, number][] = []
      let nowMs = 0
      for (const { afterMs, ends, verdict } of steps) {
        nowMs += afterMs
        const [call] = underWay.splice(ends, 1)
        if (call !== undefined) {
          one.report(call[0], verdict, nowMs)
          drawn.report(call[1], verdict, nowMs)
        } else {
          const refuses = one.refuses(nowMs)
          const permit = one.admit(nowMs)
          const expected = drawn.admit(nowMs)
          expect(permit === undefined).toBe(expected === undefined)
          expect(refuses).toBe(permit === undefined)
          if (permit !== undefined && expected !== undefined) underWay.push([permit, expected])
        }
        expect(one.state).toBe(drawn.state)
      }
    }),
    { numRuns: 500 },
  )
})
