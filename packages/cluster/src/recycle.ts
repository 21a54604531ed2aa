import type { Heartbeat } from './messages.js'

/** When a healthy worker is replaced all the same; a leak then never grows old. */
export interface RecycleOptions {
  /** Default none */
  maxAgeMs?: number
  /** Default none */
  maxRequests?: number
  /** Resident set size. Default none */
  maxRssBytes?: number
  /** Each worker's limits differ by up to this share, so that they do not go together. Default 0.1 */
  jitterRatio?: number
}

type Limits = Omit<RecycleOptions, 'jitterRatio'>

/** One worker's own limits. @param random in [0, 1) */
export function jittered(
  { jitterRatio = 0.1, ...limits }: RecycleOptions,
  random: () => number = Math.random,
): Limits {
  return Object.fromEntries(
    Object.entries(limits).map(([name, limit]) => [
      name,
      limit === undefined ? undefined : limit * (1 + (random() * 2 - 1) * jitterRatio),
    ]),
  )
}

/** Why this worker should be replaced, or `undefined`. */
export function recycleReason(
  { maxAgeMs, maxRequests, maxRssBytes }: Limits,
  { rssBytes, requests }: Heartbeat,
  ageMs: number,
): 'age' | 'requests' | 'memory' | undefined {
  if (maxRssBytes !== undefined && rssBytes > maxRssBytes) return 'memory'
  if (maxRequests !== undefined && requests > maxRequests) return 'requests'
  if (maxAgeMs !== undefined && ageMs > maxAgeMs) return 'age'
  return undefined
}
