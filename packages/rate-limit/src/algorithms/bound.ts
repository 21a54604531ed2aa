import { algorithms } from './index.js'
import { type Quota, quotaShare } from './quota.js'

/** How a limiter decides; see the option `mode`. */
export type Mode = 'exact' | 'leased' | 'local'

/** The most that one policy lets one partition have. */
export interface PolicyBound {
  readonly policy: string
  readonly windowMs: number
  /** Units admitted in any window of that length, at most, by the clock of the store and while the quota stays as it is. */
  readonly most: number
  /** The same while the store does not answer; Infinity if everything passes then. */
  readonly mostWithoutStore: number
}

/**
 * The window that is counted, in ms. Quota taken in advance is spent up to `leaseMs` after it was debited; a strict
 * window that is longer by that much holds all the same.
 */
export function countedWindowMs(
  { algorithm, windowMs }: Pick<Quota, 'algorithm' | 'windowMs'>,
  { mode, leaseMs }: { mode: Mode; leaseMs: number },
): number {
  return mode === 'leased' && algorithm === 'strict' ? windowMs + leaseMs : windowMs
}

/**
 * Most units admitted in any half-open window of the quota's length.
 *
 * @param processes  how many count, for `local`
 */
export function mostAdmitted(quota: Quota, mode: Mode, leaseMs: number, processes: number): number {
  const { algorithm } = quota
  if (mode === 'local') return processes * algorithms[algorithm].bound(quotaShare(quota, processes))
  if (mode === 'exact') return algorithms[algorithm].bound(quota)
  switch (algorithm) {
    case 'strict':
      return quota.quota
    // What the first request of a window paid for may be spent later in it, so the first unit no longer lies at its start.
    case 'fixed':
      return 2 * quota.quota
    default:
      return algorithms[algorithm].bound(quota) + inFlight(quota, leaseMs)
  }
}

/** What refills while a lease lives: it may have been debited that much before the window. */
function inFlight({ quota, windowMs }: Quota, leaseMs: number): number {
  return Math.ceil((quota * leaseMs) / windowMs)
}
