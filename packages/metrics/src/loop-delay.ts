/** The part of Node's `IntervalHistogram` that is read. */
export interface DelayHistogram {
  readonly count: number
  /** In ns. */
  readonly max: number
  percentile(percentile: number): number
}

/** A number of measurements that fell into one bucket. */
export interface BucketCount {
  /** Where in the bucket they are taken to be. */
  seconds: number
  count: number
}

/** Finds a share of the measurements to one in a million. */
const STEPS = 20

/**
 * Node keeps the delay of the loop in a fine histogram that tells only percentiles. Percentiles of several processes cannot be
 * merged, buckets can; so how many measurements lie below each bound is found by halving.
 *
 * @param resolutionMs  Node measures from timer to timer: this much of each value is no delay
 */
export function loopDelayBuckets(
  histogram: DelayHistogram,
  resolutionMs: number,
  boundsSeconds: readonly number[],
): BucketCount[] {
  const { count } = histogram
  if (count === 0) return []
  const maxSeconds = Math.max(0, histogram.max / 1e9 - resolutionMs / 1_000)
  const buckets: BucketCount[] = []
  let below = 0
  let lower = 0
  for (const bound of boundsSeconds) {
    if (below === count) break
    const upTo = maxSeconds <= bound ? count : countUpTo(histogram, (bound * 1_000 + resolutionMs) * 1e6)
    const seconds = (lower + Math.min(bound, maxSeconds)) / 2
    if (upTo > below) buckets.push({ seconds, count: upTo - below })
    below = Math.max(below, upTo)
    lower = bound
  }
  if (count > below) buckets.push({ seconds: maxSeconds, count: count - below })
  return buckets
}

function countUpTo(histogram: DelayHistogram, nanoseconds: number): number {
  let low = 0
  let high = 100
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2
    if (histogram.percentile(middle) <= nanoseconds) low = middle
    else high = middle
  }
  return Math.round((low / 100) * histogram.count)
}
