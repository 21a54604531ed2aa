/**
 * How long to wait before the next try: anything from 0 to twice as long as before, evenly ("full jitter"), so that those
 * who failed together do not come back together.
 *
 * @param repeated  how often the call was repeated so far, from 0
 * @param random    from 0 to 1
 * @returns ms
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(repeated: number, baseMs: number, mostMs: number, random: number): number {
  return random * Math.min(mostMs, baseMs * 2 ** repeated)
}
