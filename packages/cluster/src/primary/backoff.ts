/** When a worker that ended by itself is started again. */
export interface BackoffPolicy {
  baseMs: number
  maxMs: number
}

/**
 * Full jitter: any time from zero to `min(maxMs, baseMs · 2ⁿ)`, so that places that failed together do not start
 * together.
 *
 * @param failures  consecutive failures before this one, n ≥ 0
 * @param random    in [0, 1). Default `Math.random`
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(
  policy: BackoffPolicy,
  failures: number,
  random: () => number = Math.random,
): number {
  // 2³⁰ exceeds every ceiling; beyond 2¹⁰²³ the power would be infinite, and 0 · Infinity is no number.
  return Math.round(random() * Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(failures, 30)))
}
