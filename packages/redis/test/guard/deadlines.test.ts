import { describe, expect, it } from 'vitest'
import { Deadlines, type Waiting } from '../../src/guard/deadlines.js'

class Probe implements Waiting {
  dueAt = 0
  settled = false
  readonly expiredAfterMs: Promise<number>
  #end!: (ms: number) => void
  readonly #startedAt = performance.now()

  constructor() {
    this.expiredAfterMs = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  expire(nowMs: number): void {
    this.settled = true
    this.#end(nowMs - this.#startedAt)
  }
}

describe('Deadlines', () => {
  it('ends what waits too long, in the order of the deadlines, never early', async () => {
    const deadlines = new Deadlines()
    const order: number[] = []
    const probes = [40, 10, 25].map((waitMs) => {
      const probe = new Probe()
      deadlines.add(probe, waitMs, performance.now())
      return probe.expiredAfterMs.then((afterMs) => {
        order.push(waitMs)
        expect(afterMs).toBeGreaterThanOrEqual(waitMs - 1)
      })
    })
    await Promise.all(probes)
    expect(order).toEqual([10, 25, 40])
  })

  it('forgets what was answered', async () => {
    const deadlines = new Deadlines()
    const answered = new Probe()
    deadlines.add(answered, 5, performance.now())
    answered.settled = true
    const later = new Probe()
    deadlines.add(later, 15, performance.now())
    await later.expiredAfterMs
    let expired = false
    void answered.expiredAfterMs.then(() => {
      expired = true
    })
    await new Promise(setImmediate)
    expect(expired).toBe(false)
  })

  it('keeps one timer, however many wait', () => {
    const deadlines = new Deadlines()
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const probes = Array.from({ length: 1_000 }, () => new Probe())
    for (const probe of probes) deadlines.add(probe, 50, performance.now())
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(before + 1)
    for (const probe of probes) probe.settled = true
  })
})
