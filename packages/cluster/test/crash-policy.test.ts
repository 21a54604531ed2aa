import { describe, expect, test } from 'vitest'
import { backoffMs } from '../src/primary/backoff.js'
import { CrashPolicy, type SlotHistory } from '../src/primary/crash-policy.js'
import { jittered, recycleReason } from '../src/primary/recycle.js'

const options = {
  baseMs: 500,
  maxMs: 30_000,
  bootFailures: 3,
  exits: 5,
  windowMs: 60_000,
  openMs: 60_000,
}
const almostOne = () => 1 - Number.EPSILON

test('backoff: any time from 0 to a ceiling that doubles up to the last', () => {
  expect([0, 1, 2, 5, 6, 100, 5_000].map((n) => backoffMs(options, n, almostOne))).toEqual([
    500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000,
  ])
  expect(backoffMs(options, 100, () => 0)).toBe(0)
})

describe('CrashPolicy', () => {
  const slot = (): SlotHistory => ({ failures: 0, exitsAt: [] })
  const running = { isFirstBoot: false, workers: 2 }

  test('waits longer after each failure', () => {
    const policy = new CrashPolicy(options, almostOne)
    const one = slot()
    const verdicts = [0, 20_000, 40_000].map((nowMs) => policy.onCrash(one, { ...running, nowMs }))
    expect(verdicts).toEqual([500, 1_000, 2_000].map((delayMs) => ({ action: 'respawn', delayMs })))
  })

  test('holds a slot that failed too often in the window, and only that one', () => {
    const policy = new CrashPolicy(options)
    const one = slot()
    for (const nowMs of [0, 1, 2, 3])
      expect(policy.onCrash(one, { ...running, nowMs }).action).toBe('respawn')
    expect(policy.onCrash(slot(), { ...running, nowMs: 4 }).action).toBe('respawn')
    expect(policy.onCrash(one, { ...running, nowMs: 5 })).toEqual({ action: 'hold', delayMs: 60_000 })
    expect(policy.onCrash(one, { ...running, nowMs: 60_003 }).action).toBe('respawn')
  })

  test('gives up when boots fail three times per worker before all have been ready', () => {
    const policy = new CrashPolicy(options)
    const booting = { isFirstBoot: true, workers: 2 }
    const slots = [slot(), slot()]
    const actions = Array.from(
      { length: 6 },
      (_, n) => policy.onCrash(slots[n % 2]!, { ...booting, nowMs: n }).action,
    )
    expect(actions).toEqual(['respawn', 'respawn', 'respawn', 'respawn', 'respawn', 'give-up'])
  })

  test('boot failures that are far apart never add up', () => {
    const policy = new CrashPolicy(options)
    const one = slot()
    for (let n = 0; n < 20; n++) {
      const { action } = policy.onCrash(one, { isFirstBoot: true, workers: 1, nowMs: n * 30_000 })
      expect(action).toBe('respawn')
    }
  })
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
