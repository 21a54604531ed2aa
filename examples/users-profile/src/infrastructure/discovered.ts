import { ServiceUnavailable } from '@scale/errors'

/** How long what was found counts as new, in ms: the provider may move its endpoints. */
const FRESH_MS = 3_600_000
/** First and longest pause after failures in a row, in ms. */
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [1_000, 30_000]

/**
 * Finds something elsewhere when it is first needed, once for all who wait, and keeps it. After a failure nobody asks
 * again before a pause, which doubles; what was found once serves until it can be found anew.
 *
 * @param find   asked by one caller at a time
 * @param nowMs  a clock that only goes forward
 * @returns      fails with `ServiceUnavailable` and the pause that is left as `Retry-After`
 */
export function discovered<Found>(
  find: () => Promise<Found>,
  nowMs: () => number = () => performance.now(),
): () => Promise<Found> {
  let found: { value: Found; atMs: number } | undefined
  let asking: Promise<Found> | undefined
  let failures = 0
  let nextAtMs = 0

  async function ask(): Promise<Found> {
    try {
      const value = await find()
      found = { value, atMs: nowMs() }
      failures = 0
      return value
    } catch (cause) {
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS)
      nextAtMs = nowMs() + pauseMs
      return foundOr(cause)
    } finally {
      asking = undefined
    }
  }

  function foundOr(cause?: unknown): Found {
    if (found !== undefined) return found.value
    throw new ServiceUnavailable(undefined, {
      code: 'LOGIN_PROVIDER_UNAVAILABLE',
      retryAfterMs: Math.max(nextAtMs - nowMs(), 1),
      cause,
    })
  }

  return async () => {
    if (found !== undefined && nowMs() - found.atMs < FRESH_MS) return found.value
    if (asking === undefined && nowMs() < nextAtMs) return foundOr()
    asking ??= ask()
    return asking
  }
}
