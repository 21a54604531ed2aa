import { durationMs, integer, number, resolveOptions } from '@scale/core'
import type { Heartbeat } from '../messages.js'

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

/** What holds where `recycle` says nothing. */
export const recycleDefaults: Readonly<Required<Pick<RecycleOptions, 'jitterRatio'>>> = Object.freeze({
  jitterRatio: 0.1,
})

/** @throws {InvalidOption} */
export function resolveRecycle(given: RecycleOptions | undefined): RecycleOptions {
  return resolveOptions('runCluster: recycle', given, {
    checks: {
      maxAgeMs: durationMs(1, Number.MAX_SAFE_INTEGER),
      maxRequests: integer(1),
      maxRssBytes: integer(1),
      jitterRatio: number(0, 1),
    },
    defaults: recycleDefaults,
  })
}

type Limits = Omit<RecycleOptions, 'jitterRatio'>

/** One worker's own limits. @param random in [0, 1) */
export function jittered(
  { jitterRatio = recycleDefaults.jitterRatio, ...limits }: RecycleOptions,
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
