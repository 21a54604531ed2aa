import type { Clock } from '../clock.js'
import { type Quota, quotaShare } from '../policy.js'
import type { Charge, DecisionSource, QuotaStore, Settlement, StoreReply } from '../store.js'
import { MemoryStore } from './memory.js'

/** Counts this process's share of each quota: the quota divided by the number of processes, at least one unit. */
export class LocalStore implements QuotaStore {
  readonly #memory: MemoryStore
  readonly #processes: () => number
  #shares = new WeakMap<Quota, Quota>()
  #sharesOf = 1

  /** @param processes  how many there are now, 1 or more */
  constructor(options: {
    maxKeys: number
    source: DecisionSource
    processes: () => number
    clock?: Clock
  }) {
    this.#memory = new MemoryStore(options)
    this.#processes = options.processes
  }

  consume(charges: readonly Charge[], count: number, divisor: number): StoreReply {
    return this.#memory.consume(this.#own(charges), count, divisor)
  }

  settle(settlements: readonly Settlement[]): void {
    this.#memory.settle(this.#own(settlements))
  }

  penalize(charges: readonly Charge[], blockMs: number): void {
    this.#memory.penalize(this.#own(charges), blockMs)
  }

  reset(charges: readonly Charge[]): void {
    this.#memory.reset(charges)
  }

  #own<Item extends { readonly quota: Quota }>(items: readonly Item[]): Item[] {
    const processes = this.#processes()
    return items.map((item) => ({ ...item, quota: this.#share(item.quota, processes) }))
  }

  #share(quota: Quota, processes: number): Quota {
    if (processes !== this.#sharesOf) {
      this.#sharesOf = processes
      this.#shares = new WeakMap()
    }
    let share = this.#shares.get(quota)
    if (share === undefined) {
      share = quotaShare(quota, processes)
      this.#shares.set(quota, share)
    }
    return share
  }
}
