import type { State } from '../algorithms/algorithm.js'
import { type Account, consume } from '../algorithms/engine.js'
import { algorithms } from '../algorithms/index.js'
import type { Quota } from '../algorithms/quota.js'
import type { Charge, DecisionSource, QuotaStore, Settlement, StoreReply } from '../store.js'
import { type Clock, monotonicClock } from './clock.js'
import { StateTable } from './state-table.js'

/**
 * Keeps quotas in this process: right for one process, for tests and for a first try.
 *
 * Memory is bounded by `maxKeys`, without a timer. See {@link StateTable} for what happens when it is full.
 *
 * @param options.maxKeys  partitions remembered at once. Default 100,000
 * @param options.quotaOf  what is counted here of a quota. Default: all of it
 * @param options.clock    for tests. Default: a monotonic clock
 */
export class MemoryStore implements QuotaStore {
  readonly #states: StateTable
  readonly #clock: Clock
  readonly #source: DecisionSource
  readonly #quotaOf: (quota: Quota) => Quota

  constructor(
    options: {
      maxKeys?: number
      clock?: Clock
      source?: DecisionSource
      quotaOf?: (quota: Quota) => Quota
    } = {},
  ) {
    this.#states = new StateTable(options.maxKeys ?? 100_000)
    this.#clock = options.clock ?? monotonicClock
    this.#source = options.source ?? 'memory'
    this.#quotaOf = options.quotaOf ?? ((quota) => quota)
  }

  /** Partitions that are remembered now. */
  get size(): number {
    return this.#states.size
  }

  consume(charges: readonly Charge[], count: number, divisor: number): StoreReply {
    const nowMs = this.#clock()
    const accounts: Account[] = []
    for (const { key, quota: whole, cost } of charges) {
      const quota = this.#quotaOf(whole)
      const { state, penaltyEndsAt } = this.#states.get(key, quota, nowMs)
      accounts.push({ state: orNone(state), quota, cost, penaltyMs: Math.max(0, penaltyEndsAt - nowMs) })
    }
    const { granted, states, balances } = consume(accounts, count, divisor, nowMs)
    if (granted > 0) {
      for (let index = 0; index < accounts.length; index++) {
        const { quota, cost } = accounts[index]!
        if (cost > 0) this.#states.set(charges[index]!.key, states[index]!, quota, nowMs, 0)
      }
    }
    return { granted, balances, source: this.#source }
  }

  settle(settlements: readonly Settlement[]): void {
    const nowMs = this.#clock()
    for (const { key, quota: whole, units, windowId } of settlements) {
      const quota = this.#quotaOf(whole)
      const { state: kept, penaltyEndsAt } = this.#states.get(key, quota, nowMs)
      const known = orNone(kept)
      if (known === undefined && units < 0) continue
      const algorithm = algorithms[quota.algorithm]
      const state = algorithm.advance(known, quota, nowMs)
      const settled =
        units > 0
          ? algorithm.debit(state, quota, units)
          : algorithm.refund(state, quota, -units, windowId, nowMs)
      this.#states.set(key, settled, quota, nowMs, penaltyEndsAt)
    }
  }

  penalize(charges: readonly Charge[], blockMs: number): void {
    const nowMs = this.#clock()
    for (const { key, quota: whole } of charges) {
      const quota = this.#quotaOf(whole)
      this.#states.penalize(key, quota, nowMs, nowMs + blockMs)
    }
  }

  reset(charges: readonly Charge[]): void {
    for (const { key } of charges) this.#states.delete(key)
  }
}

function orNone(state: State): State | undefined {
  return state.length === 0 ? undefined : state
}
