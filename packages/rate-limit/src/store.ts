import type { Balance } from './algorithms/engine.js'
import type { Quota } from './algorithms/quota.js'

export type { Balance } from './algorithms/engine.js'

/** What one request spends from one quota. */
export interface Charge {
  /** Names the partition under its policy. Namespaced, escaped, bounded; never logged. */
  readonly key: string
  readonly quota: Quota
  /** Units, an integer of 0 or more. */
  readonly cost: number
}

/** What a store decided on. */
export interface StoreReply {
  /** How many of the requests were admitted. */
  readonly granted: number
  /** One per charge, in their order. */
  readonly balances: readonly Balance[]
  /** Where the decision was made. */
  readonly source: DecisionSource
}

/**
 * - `redis`: by the shared store, in a round trip
 * - `memory`: by this process, which is all there is or has its own share of the quota
 * - `lease`: by this process, out of quota that it took in advance
 * - `block`: by this process, which remembers that the quota is spent
 * - `fallback`: by this process with its share of the quota, because the store does not answer
 * - `none`: nobody; the store does not answer, and the limiter lets everything pass
 */
export type DecisionSource = 'redis' | 'memory' | 'lease' | 'block' | 'fallback' | 'none'

/** A correction of one quota after the fact. */
export interface Settlement {
  readonly key: string
  readonly quota: Quota
  /** Units to charge, even beyond the quota; negative to give back. Not 0. */
  readonly units: number
  /** The window that was spent from, as the balance named it. */
  readonly windowId: number
}

/**
 * Where quotas are kept.
 *
 * A store that decides in this process answers at once, another with a promise. A promise that rejects means that
 * there is no decision; the cost may have been taken all the same.
 */
export interface QuotaStore {
  /**
   * Spends `cost` from each quota, for as many of `count` equal requests as all of the quotas can pay for; from each
   * of them or from none. A refused request changes nothing.
   *
   * Calls with a key in common are ordered; the later sees what the earlier spent. The clock is the store's own.
   *
   * @param charges  1 or more, with different keys
   * @param count    requests; 0 only looks
   * @param divisor  admit at most this part of what is left, though at least one; 1 for all of it
   */
  consume(charges: readonly Charge[], count: number, divisor: number): StoreReply | Promise<StoreReply>
  /**
   * Corrects quotas once the real cost is known. A charge may leave a quota in debt. What is given back goes to the
   * window that it was taken from, or nowhere if that is over, and never raises a quota above its full size.
   */
  settle(settlements: readonly Settlement[]): void | Promise<void>
  /**
   * Refuses everything on these keys for `blockMs`, whatever its quota and cost, or longer if that was said before. What is spent and
   * given back meanwhile changes nothing about it.
   */
  penalize(charges: readonly Charge[], blockMs: number): void | Promise<void>
  /** Makes these quotas whole again, and ends penalties. */
  reset(charges: readonly Charge[]): void | Promise<void>
}
