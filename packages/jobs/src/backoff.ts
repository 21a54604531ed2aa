/**
 * How long a job waits after a failure: twice as long each time up to a bound, half of it random, so that jobs that failed
 * together do not come together again.
 *
 * @param failures  so far, at least 1
 * @param random    0 to 1
 */
export function backoffMs(
  failures: number,
  { firstMs, maxMs }: { firstMs: number; maxMs: number },
  random: number = Math.random(),
): number {
  const wholeMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 52))
  return Math.ceil(wholeMs * (0.5 + random / 2))
}
