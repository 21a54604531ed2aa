import { ScaleError } from '@scale/core'
import type { ReplayStore } from './replay-store.js'

/** Options of `memoryReplayStore`. */
export interface MemoryReplayStoreOptions {
  /** Claimed names at a time. Above it a claim fails: to forget one would let its proof be used again. Default 100,000 */
  maxNames?: number
  /** The time, in ms. Default `Date.now` */
  clock?: () => number
}

/** Too many proofs were used lately for a store in one process to remember. */
export class ReplayStoreFull extends ScaleError {
  constructor() {
    super('Too many proofs of possession at once. Try again later.', {
      code: 'ERR_SCALE_DPOP_FULL',
      status: 503,
      headers: { 'Retry-After': '5' },
    })
  }
}

/** Claimed names in this process: for tests, for a first try, and for the one process that is all there is. */
export function memoryReplayStore(options: MemoryReplayStoreOptions = {}): ReplayStore {
  const { maxNames = 100_000, clock = Date.now } = options
  // In the order of claiming, and so of ending, if all have one lifetime.
  const claimed = new Map<string, number>()

  function forgetEnded(nowMs: number): void {
    for (const [name, endsAt] of claimed) {
      if (endsAt > nowMs) return
      claimed.delete(name)
    }
  }

  return {
    claim: (name, ttlMs) => {
      const nowMs = clock()
      forgetEnded(nowMs)
      const endsAt = claimed.get(name)
      if (endsAt !== undefined && endsAt > nowMs) return false
      if (claimed.size >= maxNames) throw new ReplayStoreFull()
      claimed.delete(name)
      claimed.set(name, nowMs + ttlMs)
      return true
    },
  }
}
