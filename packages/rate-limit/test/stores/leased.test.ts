import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createQuota } from '../../src/algorithms/quota.js'
import type { Charge, QuotaStore, Settlement, StoreReply } from '../../src/store.js'
import { LeasedStore } from '../../src/stores/leased.js'
import { MemoryStore } from '../../src/stores/memory.js'

/** A shared store that answers when it is told to. */
class Held implements QuotaStore {
  readonly asked: { count: number; divisor: number }[] = []
  #answers: (() => void)[] = []
  readonly #store = new MemoryStore({ clock: () => Date.now() })

  consume(charges: readonly Charge[], count: number, divisor: number): Promise<StoreReply> {
    this.asked.push({ count, divisor })
    return new Promise((resolve) => {
      this.#answers.push(() => resolve(this.#store.consume(charges, count, divisor)))
    })
  }

  /** Answers all that was asked, and what is asked thereupon. */
  async answer(): Promise<void> {
    while (this.#answers.length > 0) {
      for (const act of this.#answers.splice(0)) act()
      await vi.advanceTimersByTimeAsync(0)
    }
  }

  async settle(settlements: readonly Settlement[]): Promise<void> {
    this.#store.settle(settlements)
  }

  async penalize(charges: readonly Charge[], blockMs: number): Promise<void> {
    this.#store.penalize(charges, blockMs)
  }

  async reset(charges: readonly Charge[]): Promise<void> {
    this.#store.reset(charges)
  }

  left(charge: Charge): number {
    return this.#store.consume([charge], 0, 1).balances[0]!.remaining
  }
}

const charge: Charge = {
  key: 'a',
  quota: createQuota('p', { algorithm: 'fixed', quota: 1_000, windowMs: 600_000 }),
  cost: 1,
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function make(processes = 1): { held: Held; leases: LeasedStore } {
  const held = new Held()
  const leases = new LeasedStore(held, {
    leaseMs: 1_000,
    processes: () => processes,
    maxKeys: 1_000,
    onError: (error) => expect.fail(String(error)),
    clock: () => Date.now(),
  })
  return { held, leases }
}

/** Spends one after the other, as fast as the clock shows. */
async function spend(leases: LeasedStore, held: Held, requests: number): Promise<void> {
  for (let request = 0; request < requests; request++) {
    const reply = leases.consume([charge], 1, 1)
    await held.answer()
    expect((await reply).granted).toBe(1)
  }
}

describe('leases', () => {
  it('of a key that is penalized or reset come back, also one that was being asked for', async () => {
    for (const verb of ['penalize', 'reset'] as const) {
      const { held, leases } = make()
      await spend(leases, held, 9)
      // The next one asks for more than one request, of which one is spent.
      const reply = leases.consume([charge], 1, 1)
      expect(held.asked.at(-1)!.count).toBeGreaterThan(1)
      const done = verb === 'penalize' ? leases.penalize([charge], 1) : leases.reset([charge])
      await done
      await vi.advanceTimersByTimeAsync(2)
      await held.answer()
      expect((await reply).granted).toBe(1)
      await leases.close()
      expect(held.left(charge)).toBe(verb === 'penalize' ? 990 : 999)
    }
  })

  it('that nobody asks for are given back, then forgotten, and then nothing is left to be timed', async () => {
    const { held, leases } = make()
    await spend(leases, held, 20)
    expect(held.left(charge)).toBeLessThan(980)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(held.left(charge)).toBe(980)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('are not taken after the end', async () => {
    const { held, leases } = make()
    await spend(leases, held, 20)
    await leases.close()
    const before = held.asked.length
    await spend(leases, held, 20)
    expect(held.asked.slice(before)).toEqual(Array(20).fill({ count: 1, divisor: 1 }))
    expect(held.left(charge)).toBe(960)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('leave half of what is left to the others, however many they are', async () => {
    for (const processes of [1, 4]) {
      const { held, leases } = make(processes)
      await spend(leases, held, 300)
      expect(new Set(held.asked.map(({ divisor }) => divisor))).toEqual(new Set([2 * processes]))
    }
  })
})
