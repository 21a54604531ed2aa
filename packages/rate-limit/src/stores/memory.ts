import { consume } from '../algorithms/engine.js'
import { algorithms } from '../algorithms/index.js'
import { type Clock, monotonicClock } from '../clock.js'
import type { Charge, DecisionSource, QuotaStore, Settlement, StoreReply } from '../store.js'
import { StateTable } from './state-table.js'

/**
 * Keeps quotas in this process: right for one process, for tests and for a first try.
 *
 * Memory is bounded by `maxKeys`, without a timer. See {@link StateTable} for what happens when it is full.
 *
 * @param options.maxKeys  partitions remembered at once. Default 100,000
 * @param options.clock    for tests. Default: a monotonic clock
 */
export class MemoryStore implements QuotaStore {
  readonly #states: StateTable
  readonly #clock: Clock
  readonly #source: DecisionSource

  constructor(options: { maxKeys?: number; clock?: Clock; source?: DecisionSource } = {}) {
    this.#states = new StateTable(options.maxKeys ?? 100_000)
    this.#clock = options.clock ?? monotonicClock
    this.#source = options.source ?? 'memory'
  }

  /** Partitions that are remembered now. */
  get size(): number {
    return this.#states.size
  }

  consume(charges: readonly Charge[], count: number, divisor: number): StoreReply {
    const nowMs = this.#clock()
    const accounts = charges.map(({ key, quota, cost }) => ({
      state: this.#states.get(key, quota, nowMs),
      quota,
      cost,
    }))
    const { granted, states, balances } = consume(accounts, count, divisor, nowMs)
    if (granted > 0) {
      for (const [index, { key, quota, cost }] of charges.entries()) {
        if (cost > 0) this.#states.set(key, states[index]!, quota, nowMs)
      }
    }
    return { granted, balances, source: this.#source }
  }

  settle(settlements: readonly Settlement[]): void {
    const nowMs = this.#clock()
    for (const { key, quota, units, windowId } of settlements) {
      const known = this.#states.get(key, quota, nowMs)
      if (known === undefined && units < 0) continue
      const algorithm = algorithms[quota.algorithm]
      const state = algorithm.advance(known, quota, nowMs)
      const settled =
        units > 0
          ? algorithm.debit(state, quota, units)
          : algorithm.refund(state, quota, -units, windowId, nowMs)
      this.#states.set(key, settled, quota, nowMs)
    }
  }

  penalize(charges: readonly Charge[], blockMs: number): void {
    const nowMs = this.#clock()
    for (const { key, quota } of charges) {
      const algorithm = algorithms[quota.algorithm]
      const state = algorithm.advance(this.#states.get(key, quota, nowMs), quota, nowMs)
      this.#states.set(key, algorithm.penalize(state, quota, blockMs, nowMs), quota, nowMs)
    }
  }

  reset(charges: readonly Charge[]): void {
    for (const { key } of charges) this.#states.delete(key)
  }
}
