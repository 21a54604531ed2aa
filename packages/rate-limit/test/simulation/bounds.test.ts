import { describe, expect, it } from 'vitest'
import { type Mode, mostAdmitted } from '../../src/algorithms/bound.js'
import { type AlgorithmName, algorithms } from '../../src/algorithms/index.js'
import { createQuota, type Quota } from '../../src/algorithms/quota.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { random } from '../random.js'
import { patterns } from './arrivals.js'
import { type Admitted, worstWindow } from './oracle.js'
import { type Faults, type Life, simulate } from './world.js'

const names = Object.keys(algorithms) as AlgorithmName[]
const fleets = [1, 2, 4, 8]
const LEASE_MS = 100

function quotaOf(algorithm: AlgorithmName): Quota {
  return createQuota('simulated', { algorithm, quota: 40, windowMs: 2_000 })
}

/** Runs all patterns, and gives the most that any window saw. */
async function worstOf(quota: Quota, mode: Mode, processes: number, faults: Faults = {}) {
  const found: Record<string, { worst: number; lost: number; trips: number; requests: number }> = {}
  for (const [name, pattern] of Object.entries(patterns)) {
    const rng = random(`${name} ${quota.text} ${mode} ${processes} ${JSON.stringify(faults)}`)
    const arrivals = pattern(rng, quota, processes)
    const run = { quota, mode, processes, leaseMs: LEASE_MS, arrivals, faults, rng }
    const { admitted, lost, trips } = await simulate(run)
    expect(admitted.length, name).toBeGreaterThan(quota.quota)
    found[name] = { worst: worstWindow(admitted, quota.windowMs), lost, trips, requests: arrivals.length }
  }
  return found
}

describe.each(names)('%s never admits more than its bound', (algorithm) => {
  const quota = quotaOf(algorithm)

  it.each(fleets)('exact, %i processes', async (processes) => {
    const found = await worstOf(quota, 'exact', processes)
    for (const { worst } of Object.values(found)) {
      expect(worst).toBeLessThanOrEqual(mostAdmitted(quota, 'exact', LEASE_MS, processes))
    }
  })

  it.each(fleets)('leased, %i processes', async (processes) => {
    const found = await worstOf(quota, 'leased', processes)
    for (const { worst } of Object.values(found)) {
      expect(worst).toBeLessThanOrEqual(mostAdmitted(quota, 'leased', LEASE_MS, processes))
    }
  })

  it.each(fleets)('local, %i processes', async (processes) => {
    const found = await worstOf(quota, 'local', processes)
    for (const { worst } of Object.values(found)) {
      expect(worst).toBeLessThanOrEqual(mostAdmitted(quota, 'local', LEASE_MS, processes))
    }
  })

  it.each([-700, 700])('exact, while the clock of the store steps by %i ms', async (clockStepMs) => {
    const found = await worstOf(quota, 'exact', 4, { clockStepMs })
    for (const { worst } of Object.values(found)) {
      expect(worst).toBeLessThanOrEqual(mostAdmitted(quota, 'exact', LEASE_MS, 4))
    }
  })

  it('exact, over fail-overs, but for what the replica had not seen', async () => {
    const found = await worstOf(quota, 'exact', 4, { lagMs: 30 })
    for (const { worst, lost } of Object.values(found)) {
      // Two fail-overs may lie in one window and the one before.
      expect(worst).toBeLessThanOrEqual(mostAdmitted(quota, 'exact', LEASE_MS, 4) + 2 * lost)
    }
  })
})

const life: Life = { settles: true, penalties: true, restarts: true }

describe.each(names)(
  '%s, with costs that are corrected, clients that leave, penalties and restarts',
  (algorithm) => {
    const quota = quotaOf(algorithm)

    it.each([
      ['exact', 4],
      ['leased', 4],
    ] as const)(
      '%s, %i processes: never admits more than its bound, and nobody during a penalty',
      async (mode, processes) => {
        for (const [name, pattern] of Object.entries(patterns)) {
          const rng = random(`life ${name} ${quota.text} ${mode} ${processes}`)
          const arrivals = pattern(rng, quota, processes)
          const { admitted, penalties } = await simulate({
            ...{ quota, mode, processes, leaseMs: LEASE_MS, arrivals, faults: {}, life, rng },
          })
          expect(admitted.length, name).toBeGreaterThan(quota.quota)
          expect(penalties.length).toBeGreaterThan(5)
          expect(worstWindow(admitted, quota.windowMs), name).toBeLessThanOrEqual(
            mostAdmitted(quota, mode, LEASE_MS, processes),
          )
          // What another process had taken in advance it may spend until its lease ends.
          const grace = mode === 'leased' ? LEASE_MS : 0
          const during = admitted.filter(({ at }) =>
            penalties.some(({ from, until }) => at > from + grace && at < until),
          )
          expect(during, name).toEqual([])
        }
      },
    )

    it('leased, 4 processes: five rolling restarts in a day lose nothing', async () => {
      const processes = 4
      const daily = createQuota('simulated', { algorithm, quota: 100_000, windowMs: 86_400_000 })
      for (const [name, pattern] of Object.entries(patterns)) {
        const rng = random(`daily ${name} ${algorithm} ${processes}`)
        const arrivals = pattern(rng, quota, processes)
        const { left, spent } = await simulate({
          ...{
            quota,
            counted: daily,
            mode: 'leased',
            processes,
            leaseMs: LEASE_MS,
            arrivals,
            faults: {},
            life,
            rng,
          },
        })
        expect(spent, name).toBeGreaterThan(3 * quota.quota)
        // A bucket that refills has got back what comes in 15 s.
        const refilled = algorithm === 'token-bucket' ? 20 : 0
        expect(left, name).toBeGreaterThanOrEqual(daily.quota - spent)
        expect(left, name).toBeLessThanOrEqual(daily.quota - spent + refilled)
      }
    })
  },
)

describe.each(names)('%s among a million keys, with room for 20,000', (algorithm) => {
  it('never admits a client that keeps coming more than its bound', () => {
    const quota = quotaOf(algorithm)
    const rng = random(`million ${algorithm}`)
    let now = 0
    const store = new MemoryStore({ maxKeys: 20_000, clock: () => now })
    const admitted = Array.from({ length: 10 }, (): Admitted[] => [])
    for (let arrival = 0; arrival < 1_000_000; arrival++) {
      if (arrival % 200 === 0) now += rng.integer(3)
      const hot = arrival % 20 === 0 ? rng.integer(admitted.length) : undefined
      const key = hot === undefined ? `new ${arrival}` : `hot ${hot}`
      if (store.consume([{ key, quota, cost: 1 }], 1, 1).granted === 0) continue
      if (hot !== undefined) admitted[hot]!.push({ at: now, units: 1 })
    }
    const worst = admitted.map((list) => worstWindow(list, quota.windowMs))
    expect(Math.max(...worst)).toBeLessThanOrEqual(mostAdmitted(quota, 'exact', LEASE_MS, 1))
    expect(Math.min(...worst)).toBeGreaterThanOrEqual(quota.quota)
    expect(store.size).toBeLessThanOrEqual(20_000)
  })
})

describe('the simulation', () => {
  it('comes as close to the bounds as can be', async () => {
    const reached = async (algorithm: AlgorithmName) =>
      Math.max(...Object.values(await worstOf(quotaOf(algorithm), 'exact', 1)).map(({ worst }) => worst))
    expect(await reached('strict')).toBe(40)
    expect(await reached('fixed')).toBe(79)
    expect(await reached('token-bucket')).toBeGreaterThanOrEqual(75)
  })

  it('finds a limiter that admits too much', () => {
    // Two weighted windows: the usual approximation of a sliding one.
    const quota = 40
    const windowMs = 2_000
    let counts = [0, 0]
    let current = 0
    const admitted = []
    for (const at of [
      ...Array(40).fill(1_999),
      ...Array.from({ length: 400 }, (_, index) => 2_000 + index * 5),
    ]) {
      const window = Math.floor(at / windowMs)
      if (window > current) counts = [window === current + 1 ? counts[1]! : 0, 0]
      current = window
      const weight = 1 - (at % windowMs) / windowMs
      if (counts[0]! * weight + counts[1]! + 1 > quota) continue
      counts[1]!++
      admitted.push({ at, units: 1 })
    }
    expect(worstWindow(admitted, windowMs)).toBeGreaterThan(quota + 30)
  })

  it('counts a window as open at its start and closed at its end', () => {
    const at = (...times: number[]) => times.map((time) => ({ at: time, units: 1 }))
    expect(worstWindow(at(0, 10), 10)).toBe(1)
    expect(worstWindow(at(0, 9, 10), 10)).toBe(2)
    expect(worstWindow(at(5, 5, 5), 10)).toBe(3)
  })
})
