import { InvalidOption } from '@scale/core'
import type { AlgorithmName } from './index.js'

/** How much one partition may spend, in the terms that algorithms and stores calculate with. */
export interface Quota {
  readonly algorithm: AlgorithmName
  /** Quota units per window, an integer of 0 or more. */
  readonly quota: number
  /** Length of the window, in whole ms. */
  readonly windowMs: number
  /** Most units that can be spent at one instant; for the window algorithms the quota itself. */
  readonly burst: number
  /** Into how many buckets the strict window is cut. */
  readonly buckets: number
  /** All of this in one line, as the scripts read it. */
  readonly text: string
}

/** Largest number the algorithms form: below it, integer arithmetic in doubles is exact, in Lua as well. */
const EXACT = 2 ** 52

/**
 * Makes a quota, and refuses numbers that cannot be calculated with exactly.
 *
 * @throws {InvalidOption} not whole numbers in range, or too large together
 */
export function createQuota(
  policy: string,
  fields: { algorithm: AlgorithmName; quota: number; windowMs: number; burst?: number; buckets?: number },
): Quota {
  const { algorithm, quota, windowMs, buckets = 10 } = fields
  // A burst that nothing refills would be waited for in vain.
  const hasBurst = quota > 0 && algorithm === 'token-bucket'
  const burst = hasBurst ? (fields.burst ?? quota) : quota
  assertInteger(policy, 'quota', quota, 0)
  assertInteger(policy, 'windowMs', windowMs, 1)
  assertInteger(policy, 'burst', burst, 0)
  assertInteger(policy, 'buckets', buckets, 1)
  if ((algorithm === 'token-bucket' ? Math.max(burst, 1) * windowMs : quota) > EXACT) {
    throw new InvalidOption(
      `rateLimit: policy \`${policy}\`: \`${algorithm}\` cannot count so much over such a window exactly. ` +
        `Choose larger units${algorithm === 'token-bucket' ? ', a shorter window, or `fixed`' : ''}.`,
    )
  }
  const text = `${algorithm} ${quota} ${windowMs} ${burst} ${buckets}`
  return Object.freeze({ algorithm, quota, windowMs, burst, buckets, text })
}

function assertInteger(policy: string, name: string, value: number, min: number): void {
  if (Number.isSafeInteger(value) && value >= min) return
  throw new InvalidOption(
    `rateLimit: policy \`${policy}\`: \`${name}\` must be an integer of at least ${min}, not ${String(value)}.`,
  )
}

/**
 * A part of a quota, for one process of several: never less than one unit, because none would refuse everyone.
 *
 * @param parts  1 or more
 */
export function quotaShare(quota: Quota, parts: number): Quota {
  if (parts <= 1 || quota.quota === 0) return quota
  return createQuota('share', {
    ...quota,
    quota: Math.max(1, Math.floor(quota.quota / parts)),
    burst: Math.max(1, Math.floor(quota.burst / parts)),
  })
}
