import fc from 'fast-check'
import { parseList } from 'structured-headers'
import { describe, expect, it } from 'vitest'
import { rateLimit } from '../src/index.js'
import type { Decision } from '../src/response/decision.js'
import { describePolicy, headerStyles, retryAfterSeconds } from '../src/response/headers.js'

const printable = fc
  .array(fc.integer({ min: 0x20, max: 0x7e }), { minLength: 1, maxLength: 64 })
  .map((codes) => String.fromCharCode(...codes))
const milliseconds = fc.integer({ min: 0, max: 3_653 * 86_400_000 })
const units = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const hostile = ['"', '\\', '\\"', '";r=999', ', "other";q=1', ' ', '~', "a'b", ':YQ==:', '?1', '%00']

describe('draft-10', () => {
  it('reads back as it was written, whatever the policies are called', () => {
    const policy = fc.record({
      name: fc.oneof(printable, fc.constantFrom(...hostile)),
      limit: units,
      windowMs: milliseconds.filter((ms) => ms > 0),
      unit: fc.constantFrom('requests', 'content-bytes', 'concurrent-requests'),
      remaining: units,
      resetAfterMs: milliseconds,
    })
    fc.assert(
      fc.property(fc.array(policy, { minLength: 1, maxLength: 5 }), (policies) => {
        const decision: Decision = {
          allowed: true,
          retryAfterMs: 0,
          source: 'memory',
          policies: policies.map(({ name, limit, remaining, resetAfterMs }) => ({
            policy: name,
            limit,
            remaining,
            resetAfterMs,
            retryAfterMs: 0,
            violated: false,
          })),
        }
        const described = policies.map(({ name, limit, windowMs, unit }) =>
          describePolicy(name, limit, windowMs, unit),
        )
        const [[, state], [, terms]] = headerStyles['draft-10'](decision, described) as [
          [string, string],
          [string, string],
        ]
        const cap = (value: number): number => Math.min(value, 999_999_999_999_999)
        expect(parseList(state)).toEqual(
          policies.map(({ name, remaining, resetAfterMs }) => [
            name,
            new Map([
              ['r', cap(remaining)],
              ['t', Math.ceil(resetAfterMs / 1_000)],
            ]),
          ]),
        )
        expect(parseList(terms)).toEqual(
          policies.map(({ name, limit, windowMs, unit }) => [
            name,
            new Map<string, unknown>([
              ['q', cap(limit)],
              ['w', Math.ceil(windowMs / 1_000)],
              ...(unit === 'requests' ? [] : [['qu', unit] as const]),
            ]),
          ]),
        )
      }),
      { numRuns: 2_000 },
    )
  })

  it('refuses names that cannot be sent, when the limiter is made', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 80 }).filter((name) => !/^[\x20-\x7e]{1,64}$/.test(name)),
        (name) => {
          expect(() => rateLimit({ policies: [{ name, quota: 1, windowMs: 1 }] })).toThrow(/`name` must be/)
        },
      ),
    )
  })
})

describe('draft-7 and legacy', () => {
  it('tell of the policy that is nearest to refusing', () => {
    const policies = [30, 2, 7].map((remaining) => ({
      policy: `p${remaining}`,
      limit: 10 * remaining,
      remaining,
      resetAfterMs: 1_000 * remaining + 1,
      retryAfterMs: 0,
      violated: false,
    }))
    const decision: Decision = { allowed: true, retryAfterMs: 0, source: 'memory', policies }
    const described = policies.map(({ policy, limit }) => describePolicy(policy, limit, 60_000, 'requests'))
    expect(headerStyles['draft-7'](decision, described)).toEqual([
      ['RateLimit', 'limit=20, remaining=2, reset=3'],
      ['RateLimit-Policy', '300;w=60, 20;w=60, 70;w=60'],
    ])
    expect(headerStyles.legacy(decision, described)).toEqual([
      ['X-RateLimit-Limit', '20'],
      ['X-RateLimit-Remaining', '2'],
      ['X-RateLimit-Reset', '3'],
    ])
  })
})

describe('Retry-After', () => {
  it('is a whole number, never before the quota returns, and at most a tenth and a second later', () => {
    fc.assert(
      fc.property(milliseconds, fc.double({ min: 0, max: 1, noNaN: true }), (ms, random) => {
        const seconds = retryAfterSeconds(ms, random)!
        expect(Number.isInteger(seconds)).toBe(true)
        expect(seconds).toBeGreaterThanOrEqual(Math.max(1, ms / 1_000))
        expect(seconds).toBeLessThanOrEqual(Math.max(1, ms / 1_000) * 1.1 + 2)
      }),
    )
  })

  it('is spread over a tenth of the wait', () => {
    expect([0, 0.5, 1].map((random) => retryAfterSeconds(600_000, random))).toEqual([600, 630, 660])
  })

  it('is absent when waiting cannot help', () => {
    expect(retryAfterSeconds(Number.POSITIVE_INFINITY, 0.5)).toBeUndefined()
  })
})
