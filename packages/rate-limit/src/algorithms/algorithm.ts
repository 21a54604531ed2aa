import type { Quota } from './quota.js'

/** What is remembered of one partition under one policy: a few safe integers; their meaning is the algorithm's. */
export type State = readonly number[]

/**
 * A way to count. All functions are pure, take and give whole numbers, and have a twin in Lua that does the
 * same arithmetic: see `lua/`.
 *
 * Times are ms of the store's clock. A clock that steps back never gives quota away: states do not age until the
 * clock has caught up.
 */
export interface Algorithm {
  /** What the state has become by `nowMs`; without a state, an untouched quota. */
  advance(state: State | undefined, quota: Quota, nowMs: number): State
  /** Units that may be spent now. Negative in debt: a settled cost may exceed what was left. Takes an advanced state. */
  available(state: State, quota: Quota, nowMs: number): number
  /** The state after spending `units` ≥ 0, whether or not they were available. Takes an advanced state. */
  debit(state: State, quota: Quota, units: number): State
  /** The state after giving back `units` ≥ 0 that were spent under `windowId`; unchanged if that window is over. */
  refund(state: State, quota: Quota, units: number, windowId: number, nowMs: number): State
  /** Names the window that is being spent from; 0 where there are none. */
  windowId(state: State): number
  /** Time until `units` are available if nobody else spends, in ms; Infinity if they never are. */
  waitMs(state: State, quota: Quota, units: number, nowMs: number): number
  /** For how long the state differs from an untouched quota, in ms ≥ 1. */
  ttlMs(state: State, quota: Quota, nowMs: number): number
  /** Most units admitted in any half-open window of `windowMs`, by the store's clock, if the quota does not change. */
  bound(quota: Quota): number
}
