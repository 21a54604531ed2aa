import type { Algorithm } from './algorithm.js'
import { fixed } from './fixed.js'
import { strict } from './strict.js'
import { tokenBucket } from './token-bucket.js'

/** The ways to count. A new one is a file here, its twin in `lua/`, and a line in either list. */
export const algorithms: Readonly<Record<'fixed' | 'strict' | 'token-bucket', Algorithm>> = {
  fixed,
  strict,
  'token-bucket': tokenBucket,
}

/**
 * - `fixed`: window that starts with the first request; up to 2 × quota − 1 across its edge
 * - `strict`: never more than the quota in any window
 * - `token-bucket`: refills steadily, allows bursts
 */
export type AlgorithmName = keyof typeof algorithms
