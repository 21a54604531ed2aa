import { type Quota, quotaShare } from '../algorithms/quota.js'
import type { DecisionSource } from '../store.js'
import type { Clock } from './clock.js'
import { MemoryStore } from './memory.js'

/** Counts this process's share of each quota: the quota divided by the number of processes, at least one unit. */
export class LocalStore extends MemoryStore {
  /** @param options.processes  how many there are now, 1 or more */
  constructor(options: {
    maxKeys: number
    source: DecisionSource
    processes: () => number
    clock?: Clock
  }) {
    super({ ...options, quotaOf: sharesAmong(options.processes) })
  }
}

function sharesAmong(processes: () => number): (quota: Quota) => Quota {
  let shares = new WeakMap<Quota, Quota>()
  let sharesOf = 1
  return (quota) => {
    const parts = processes()
    if (parts === 1) return quota
    if (parts !== sharesOf) {
      sharesOf = parts
      shares = new WeakMap()
    }
    let share = shares.get(quota)
    if (share === undefined) {
      share = quotaShare(quota, parts)
      shares.set(quota, share)
    }
    return share
  }
}
