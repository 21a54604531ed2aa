import { describe, expect, it } from 'vitest'
import { aimd, gradient, type LimitAlgorithm } from '../src/index.js'
import { latency, meanLimit, type Scenario, seeded, simulate, throughput } from './simulation.js'

const S = 1_000
const random = (): (() => number) => seeded(7)
const algorithms: [string, () => LimitAlgorithm][] = [
  ['gradient', () => gradient({}, random()) as LimitAlgorithm],
  ['aimd', () => aimd({ maxLatencyMs: 100 }) as LimitAlgorithm],
]

/** One ms of computing, 50 outside: a process is full with 51 of them at once, at 1,000 a second. */
const usual = { route: 'a', cpuMs: 1, outsideMs: 50 }

describe.each(algorithms)('%s, simulated', (_name, make) => {
  it('keeps the throughput of a process that only computes, at three times what it can, with few at once', () => {
    const outcome = simulate(make(), {
      forMs: 30 * S,
      rate: () => 600,
      work: () => ({ route: 'a', cpuMs: 5, outsideMs: 0 }),
    })
    expect(throughput(outcome, 5 * S, 30 * S)).toBeGreaterThan(190)
    expect(meanLimit(outcome, 5 * S, 30 * S)).toBeLessThan(25)
  })

  it('lets as many in as fill a process whose requests wait outside, at three times what it can', () => {
    const outcome = simulate(make(), { forMs: 30 * S, rate: () => 3_000, work: () => usual })
    expect(throughput(outcome, 5 * S, 30 * S)).toBeGreaterThan(900)
    expect(latency(outcome, 0.99, 5 * S, 30 * S)).toBeLessThan(3 * 51)
  })

  it('is back to normal two seconds after a burst', () => {
    const rate = (nowMs: number): number => (nowMs >= 20 * S && nowMs < 40 * S ? 3_000 : 500)
    const outcome = simulate(make(), { forMs: 60 * S, rate, work: () => usual })
    expect(throughput(outcome, 42 * S, 60 * S)).toBeGreaterThan(475)
    expect(latency(outcome, 0.5, 42 * S, 60 * S)).toBeLessThan(55)
    expect(latency(outcome, 0.99, 42 * S, 60 * S)).toBeLessThan(80)
  })

  it('follows a ramp', () => {
    const outcome = simulate(make(), { forMs: 40 * S, rate: (nowMs) => 50 + nowMs / 20, work: () => usual })
    expect(throughput(outcome, 25 * S, 40 * S)).toBeGreaterThan(900)
  })

  it.each([
    ['half of what it can', 500, 475],
    ['three times that', 3_000, 850],
  ])('takes latencies that vary much for what they are, at %s', (_load, rate, least) => {
    const outcome = simulate(make(), {
      forMs: 60 * S,
      rate: () => rate,
      work: (_now, chance) => ({ ...usual, outsideMs: -50 * Math.log(1 - chance()) }),
    })
    expect(throughput(outcome, 10 * S, 60 * S)).toBeGreaterThan(least)
  })

  it('is not misled by collections of garbage', () => {
    const outcome = simulate(make(), {
      forMs: 40 * S,
      pauses: { everyMs: 1_000, forMs: 80 },
      rate: () => 700,
      work: () => ({ ...usual, outsideMs: 20 }),
    })
    expect(throughput(outcome, 5 * S, 40 * S)).toBeGreaterThan(660)
  })

  it('does not take a route that is slow by nature for load', () => {
    const outcome = simulate(make(), {
      forMs: 40 * S,
      rate: () => 300,
      work: (_now, chance) =>
        chance() < 0.1
          ? { route: 'slow', cpuMs: 2, outsideMs: 2_000 }
          : { route: 'fast', cpuMs: 2, outsideMs: 2 },
    })
    expect(throughput(outcome, 10 * S, 40 * S)).toBeGreaterThan(280)
  })

  it('keeps short a queue that is not in the process, such as that of its threads', () => {
    const outcome = simulate(make(), {
      forMs: 40 * S,
      outside: 4,
      rate: () => 240,
      work: () => ({ route: 'a', cpuMs: 0.5, outsideMs: 50 }),
    })
    expect(throughput(outcome, 5 * S, 40 * S)).toBeGreaterThan(72)
    expect(meanLimit(outcome, 5 * S, 40 * S)).toBeLessThan(12)
  })

  it('neither starves nor grows without end in ten minutes of overload', () => {
    const scenario: Scenario = {
      forMs: 600 * S,
      rate: () => 300,
      work: () => ({ route: 'a', cpuMs: 10, outsideMs: 0 }),
    }
    const outcome = simulate(make(), scenario)
    for (let minute = 0; minute < 10; minute++) {
      expect(throughput(outcome, minute * 60 * S, (minute + 1) * 60 * S)).toBeGreaterThan(90)
    }
    const [early, late] = [meanLimit(outcome, 60 * S, 120 * S), meanLimit(outcome, 540 * S, 600 * S)]
    expect(late).toBeLessThan(early * 1.2)
  })
})

describe('gradient, simulated', () => {
  it.each([1, 2, 3, 4, 5])(
    'serves all again 40 s after what it waits for became ten times slower (%i)',
    (seed) => {
      const outcome = simulate(
        gradient({}, seeded(seed)) as LimitAlgorithm,
        {
          forMs: 100 * S,
          rate: () => 300,
          work: (nowMs) => ({ ...usual, outsideMs: nowMs < 20 * S ? 50 : 500 }),
        },
        seed,
      )
      expect(throughput(outcome, 60 * S, 100 * S)).toBeGreaterThan(270)
    },
  )

  it('comes within a third of the least that fills the process, wherever it begins', () => {
    for (const initial of [2, 20, 1_000]) {
      const outcome = simulate(gradient({ initial }, random()) as LimitAlgorithm, {
        forMs: 40 * S,
        rate: () => 3_000,
        work: () => usual,
      })
      expect(throughput(outcome, 20 * S, 40 * S)).toBeGreaterThan(900)
      expect(meanLimit(outcome, 20 * S, 40 * S)).toBeLessThan(51 * 2)
    }
  })
})

describe('bounds', () => {
  it.each([
    [() => gradient({ min: 30 }), '`min` ≤ `initial` ≤ `max` must hold, not 30 ≤ 20 ≤ 1000'],
    [() => aimd({ max: 10 }), 'not 2 ≤ 20 ≤ 10'],
    [() => gradient({ tolerance: 0.5 }), '`tolerance` must be a number from 1 to 100'],
    [() => aimd({ decrease: 1 } as never), 'unknown option `decrease`'],
  ])('are checked: %#', (make, message) => {
    expect(make).toThrow(message)
  })

  it('hold whatever the windows say', () => {
    for (const make of [
      () => gradient({ min: 3, max: 30 }, random()),
      () => aimd({ min: 3, max: 30, maxLatencyMs: 5 }),
    ]) {
      const algorithm = make() as LimitAlgorithm
      const chance = seeded(3)
      let state = algorithm.start(0)
      for (let index = 1; index < 5_000; index++) {
        const routes = new Map([
          ['a', { count: 1 + Math.floor(chance() * 100), medianMs: chance() ** 8 * 1e6 + 1e-3 }],
        ])
        const maxInFlight = Math.floor(chance() * 60)
        state = algorithm.next(state, { nowMs: index * 100, maxInFlight, routes, utilization: chance() })
        expect(algorithm.limit(state)).toBeGreaterThanOrEqual(3)
        expect(algorithm.limit(state)).toBeLessThanOrEqual(30)
      }
    }
  })

  it('let aimd shrink for a loop that is too busy', () => {
    const algorithm = aimd({ maxUtilization: 0.9 })
    const state = algorithm.start(0)
    const window = { nowMs: 100, maxInFlight: 20, routes: new Map(), utilization: 0.95 }
    expect(algorithm.limit(algorithm.next(state, window))).toBe(18)
    expect(algorithm.limit(algorithm.next(state, { ...window, utilization: 0.8 }))).toBe(21)
  })
})
