import type { State } from './algorithm.js'
import { algorithms } from './index.js'
import type { Quota } from './quota.js'

/** One quota that a request spends from: its state as it was stored, and what the request costs there. */
export interface Account {
  readonly state: State | undefined
  readonly quota: Quota
  /** How much longer a penalty refuses everything here, in ms; 0 if there is none. */
  readonly penaltyMs: number
  /** Units, an integer of 0 or more. */
  readonly cost: number
}

/** What became of one account. */
export interface Balance {
  /** Units that can still be spent now, 0 or more. */
  readonly remaining: number
  /** Time until there is more than that, in ms; 0 if nothing was spent. */
  readonly resetAfterMs: number
  /** Time until the cost can be paid (again), in ms; 0 if now, Infinity if never. */
  readonly waitMs: number
  /** The window that was spent from, to be named when cost is given back; 0 where there are none. */
  readonly windowId: number
}

/** How many of the requests were admitted, and what the accounts look like then. */
export interface Outcome {
  readonly granted: number
  readonly states: readonly State[]
  readonly balances: readonly Balance[]
}

/**
 * Admits as many of `count` equal requests as all accounts together can pay for, and debits those from each: all
 * accounts or none. A penalty on one of them refuses all requests, whatever they cost. Its twin is `lua/engine.lua.ts`.
 *
 * @param accounts  1 or more
 * @param count     requests; 0 only looks
 * @param divisor   admits at most this part of what is left, but at least one request if there is enough for it: a
 *   process that takes quota in advance leaves the others theirs. 1 for all
 */
export function consume(
  accounts: readonly Account[],
  count: number,
  divisor: number,
  nowMs: number,
): Outcome {
  const advanced: State[] = []
  let granted = count
  for (const { state, quota, cost, penaltyMs } of accounts) {
    if (penaltyMs > 0) granted = 0
    const algorithm = algorithms[quota.algorithm]
    const now = algorithm.advance(state, quota, nowMs)
    advanced.push(now)
    if (cost === 0) continue
    const affordable = Math.floor(Math.max(0, algorithm.available(now, quota, nowMs)) / cost)
    granted = Math.min(granted, affordable, Math.max(1, Math.floor(affordable / divisor)))
  }
  const states: State[] = []
  const balances: Balance[] = []
  for (let index = 0; index < accounts.length; index++) {
    const account = accounts[index]!
    const { quota, cost } = account
    const state = algorithms[quota.algorithm].debit(advanced[index]!, quota, granted * cost)
    states.push(state)
    balances.push(balance(state, account, nowMs))
  }
  return { granted, states, balances }
}

/** What an advanced state has left. */
function balance(state: State, { quota, cost, penaltyMs }: Account, nowMs: number): Balance {
  const algorithm = algorithms[quota.algorithm]
  const left = Math.max(0, algorithm.available(state, quota, nowMs))
  const isPenalized = penaltyMs > 0
  const isWhole = left >= quota.burst || (isPenalized && left > 0)
  return {
    remaining: isPenalized ? 0 : left,
    resetAfterMs: Math.max(penaltyMs, isWhole ? 0 : algorithm.waitMs(state, quota, left + 1, nowMs)),
    waitMs: Math.max(penaltyMs, algorithm.waitMs(state, quota, cost, nowMs)),
    windowId: algorithm.windowId(state),
  }
}
