/** The part of Node's `IntervalHistogram` that is read. */
export interface DelayHistogram {
  readonly count: number
  /** In ns. */
  readonly max: number
  percentile(percentile: number): number
}

/**
 * How many measurements lie in each bucket, the last above every bound, since the histogram was started.
 *
 * Node keeps the delay of the loop in a fine histogram that tells only percentiles. Percentiles of several processes cannot be
 * merged, buckets can; so how many measurements lie below each bound is found by halving.
 *
 * @param resolutionMs  Node measures from timer to timer: this much of each value is no delay
 */
export function loopDelayCounts(
  histogram: DelayHistogram,
  resolutionMs: number,
  boundsSeconds: readonly number[],
): number[] {
  const { count, max } = histogram
  let below = 0
  const counts = boundsSeconds.map((bound) => {
    const nanoseconds = (bound * 1_000 + resolutionMs) * 1e6
    const upTo = below === count || max <= nanoseconds ? count : countUpTo(histogram, nanoseconds)
    const inBucket = Math.max(0, upTo - below)
    below += inBucket
    return inBucket
  })
  return [...counts, count - below]
}

/** The largest share of the measurements that is not above the value, to less than half a measurement. */
function countUpTo(histogram: DelayHistogram, nanoseconds: number): number {
  const { count } = histogram
  let low = 0
  let high = 100
  while ((high - low) * count > 25) {
    const middle = (low + high) / 2
    if (histogram.percentile(middle) <= nanoseconds) low = middle
    else high = middle
  }
  // A percentile belongs to the nearest measurement, so `low` ends half a measurement beyond the last that counts.
  return Math.floor((low / 100) * count + 0.25)
}
