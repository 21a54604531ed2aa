import { describe, expect, test } from 'vitest'
import { backoffMs } from '../src/primary/backoff.js'
import { cannotStart, pauseAfter } from '../src/primary/crash-policy.js'
import { jittered, recycleReason } from '../src/primary/recycle.js'

const options = {
  baseMs: 500,
  maxMs: 30_000,
  exits: 5,
  openMs: 60_000,
}
const almostOne = () => 1 - Number.EPSILON

test('backoff: any time from 0 to a ceiling that doubles up to the last', () => {
  expect([0, 1, 2, 5, 6, 100, 5_000].map((n) => backoffMs(options, n, almostOne))).toEqual([
    500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000,
  ])
  expect(backoffMs(options, 100, () => 0)).toBe(0)
})

test('each failure in a row waits longer, whatever time it took; the fifth leaves the place empty', () => {
  expect([1, 2, 3, 4, 5, 6, 50].map((failures) => pauseAfter(options, failures, almostOne))).toEqual([
    ...[500, 1_000, 2_000, 4_000].map((delayMs) => ({ delayMs, isHeld: false })),
    ...[60_000, 60_000, 60_000].map((delayMs) => ({ delayMs, isHeld: true })),
  ])
})

test.for([
  [[3, false], [3, false], true],
  [[3, false], [2, false], false],
  [[9, false], [2, false], false],
  [[0, true], [3, false], true],
  [[0, true], [2, false], false],
] as const)('the app cannot start: %o %o %s', ([one, other, expected]) => {
  const places = [one, other].map(([failures, wasReady]) => ({ failures, wasReady }))
  expect(cannotStart(places, 3)).toBe(expected)
})

describe('recycling', () => {
  const heartbeat = {
    loopUtilizationRatio: 0,
    loopDelayMaxMs: 0,
    loopDelayP99Ms: 0,
    heapUsedBytes: 0,
    rssBytes: 100,
    inFlight: 0,
    connections: 0,
    requests: 100,
  }

  test('limits differ by the jitter, in both directions', () => {
    const limits = { maxAgeMs: 1_000, maxRequests: 100, jitterRatio: 0.1 }
    expect(jittered(limits, () => 0)).toEqual({ maxAgeMs: 900, maxRequests: 90 })
    expect(jittered(limits, almostOne).maxAgeMs).toBeCloseTo(1_100)
    expect(jittered({ maxRequests: 100, jitterRatio: 0 })).toEqual({ maxRequests: 100 })
  })

  test.for([
    [{}, undefined],
    [{ maxRssBytes: 99 }, 'memory'],
    [{ maxRssBytes: 100 }, undefined],
    [{ maxRequests: 99 }, 'requests'],
    [{ maxAgeMs: 999 }, 'age'],
    [{ maxAgeMs: 1_000 }, undefined],
  ] as const)('%o: %s', ([limits, reason]) => {
    expect(recycleReason(limits, heartbeat, 1_000)).toBe(reason)
  })
})
