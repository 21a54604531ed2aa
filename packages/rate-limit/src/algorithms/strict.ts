import type { Algorithm, State } from './algorithm.js'
import type { Quota } from './quota.js'

/**
 * Strict window: a ring of buckets that covers the window and one bucket more. The oldest bucket, which lies only
 * partly in the window, is counted in full.
 *
 * State `[head, c0 … ck]`: number of the newest bucket, units spent in each of the last k + 1, oldest first.
 * Known error: never above the quota. A client in constant demand gets at least k / (k + 1) of it.
 * Proof: docs/concepts/rate-limiting.md#strict-window
 */
export const strict: Algorithm = {
  advance: (state, quota, nowMs) => {
    const bucket = Math.floor(nowMs / bucketMs(quota))
    const length = quota.buckets + 1
    if (state === undefined) return [bucket, ...zeros(length)]
    const passed = bucket - state[0]!
    // A clock that stepped back: the newest bucket stays the newest.
    if (passed <= 0) return state
    if (passed >= length) return [bucket, ...zeros(length)]
    return [bucket, ...state.slice(1 + passed), ...zeros(passed)]
  },
  available: (state, { quota }) => quota - spentIn(state),
  debit: (state, _, units) => state.with(-1, state.at(-1)! + units),
  refund: (state, { buckets }, units, windowId) => {
    const index = windowId - (state[0]! - buckets) + 1
    if (index < 1 || index >= state.length) return state
    return state.with(index, Math.max(0, state[index]! - units))
  },
  windowId: (state) => state[0]!,
  waitMs: (state, quota, units, nowMs) => {
    if (units > quota.quota) return Number.POSITIVE_INFINITY
    let missing = spentIn(state) + units - quota.quota
    let index = 0
    while (missing > 0) missing -= state[++index]!
    return index === 0 ? 0 : leavesAt(state[0]! - quota.buckets + index - 1, quota) - nowMs
  },
  ttlMs: (state, quota, nowMs) => leavesAt(state[0]!, quota) - nowMs,
  bound: ({ quota }) => quota,
}

/** Width of a bucket, in ms: rounded up, so that k buckets are never shorter than the window. */
function bucketMs({ windowMs, buckets }: Quota): number {
  return Math.ceil(windowMs / buckets)
}

/** When a bucket is no longer counted. */
function leavesAt(bucket: number, quota: Quota): number {
  return (bucket + quota.buckets + 1) * bucketMs(quota)
}

function spentIn(state: State): number {
  let spent = 0
  for (let index = 1; index < state.length; index++) spent += state[index]!
  return spent
}

function zeros(length: number): number[] {
  return new Array<number>(length).fill(0)
}
