import { describe, expect, it } from 'vitest'
import type { State } from '../../src/algorithms/algorithm.js'
import { consume } from '../../src/algorithms/engine.js'
import { algorithms } from '../../src/algorithms/index.js'
import { createQuota, type Quota } from '../../src/algorithms/quota.js'

/** Asks again and again for one quota, at times of the caller's choice. */
function asker(quota: Quota) {
  let state: State | undefined
  return (nowMs: number, cost = 1) => {
    const { granted, states, balances } = consume([{ state, quota, cost, penaltyMs: 0 }], 1, 1, nowMs)
    if (granted > 0) state = states[0]
    const { remaining, waitMs, resetAfterMs } = balances[0]!
    const ttlMs = algorithms[quota.algorithm].ttlMs(states[0]!, quota, nowMs)
    return { granted, remaining, waitMs, resetAfterMs, ttlMs }
  }
}

describe('token-bucket', () => {
  it('answers as the example of redis-cell: CL.THROTTLE user123 15 30 60 1', () => {
    const ask = asker(createQuota('p', { algorithm: 'token-bucket', quota: 30, windowMs: 60_000, burst: 16 }))
    // 0 (allowed), 16 (limit), 15 (remaining), −1 (no wait), 2 (seconds until it is untouched)
    expect(ask(1_000)).toMatchObject({ granted: 1, remaining: 15, waitMs: 0, ttlMs: 2_000 })
    for (let request = 0; request < 15; request++) expect(ask(1_000).granted).toBe(1)
    expect(ask(1_000)).toMatchObject({ granted: 0, remaining: 0, waitMs: 2_000, ttlMs: 32_000 })
    expect(ask(2_999).granted).toBe(0)
    expect(ask(3_000).granted).toBe(1)
  })

  it('spaces requests evenly, with a burst of 1', () => {
    const ask = asker(createQuota('p', { algorithm: 'token-bucket', quota: 10, windowMs: 60_000, burst: 1 }))
    const times = Array.from({ length: 60_000 }, (_, index) => index).filter((at) => ask(at).granted === 1)
    expect(times).toEqual([0, 6_000, 12_000, 18_000, 24_000, 30_000, 36_000, 42_000, 48_000, 54_000])
  })
})

describe('fixed', () => {
  it('starts its window with the first request, and ends it a whole window later', () => {
    const ask = asker(createQuota('p', { algorithm: 'fixed', quota: 2, windowMs: 1_000 }))
    expect(ask(700)).toMatchObject({ granted: 1, remaining: 1, resetAfterMs: 1_000 })
    expect(ask(1_650)).toMatchObject({ granted: 1, remaining: 0, resetAfterMs: 50 })
    expect(ask(1_699)).toMatchObject({ granted: 0, waitMs: 1 })
    expect(ask(1_700)).toMatchObject({ granted: 1, remaining: 1 })
  })
})

describe('strict', () => {
  it('waits until the bucket that is in the way is no longer counted', () => {
    const ask = asker(createQuota('p', { algorithm: 'strict', quota: 2, windowMs: 1_000, buckets: 10 }))
    expect(ask(50).granted).toBe(1)
    expect(ask(450).granted).toBe(1)
    // Bucket 0 (0–99 ms) leaves when bucket 11 begins, bucket 4 when bucket 15 does.
    expect(ask(500)).toMatchObject({ granted: 0, waitMs: 600 })
    expect(ask(500, 2)).toMatchObject({ granted: 0, waitMs: 1_000 })
    expect(ask(1_099).granted).toBe(0)
    expect(ask(1_100).granted).toBe(1)
  })
})
