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
  /**
   * How old a worker is at least when it is replaced for its requests or its memory. A place whose workers reach a limit before twice
   * that age waits twice as long for the next one, up to eight times, and a warning says so. Default 60,000
   */
  minAgeMs?: number
  /** Each worker's limits differ by up to this share, so that they do not go together. Default 0.1 */
  jitterRatio?: number
}

/** What holds where `recycle` says nothing. */
export const recycleDefaults: Readonly<Required<Pick<RecycleOptions, 'jitterRatio' | 'minAgeMs'>>> =
  Object.freeze({
    minAgeMs: 60_000,
    jitterRatio: 0.1,
  })

/** @throws {InvalidOption} */
export function resolveRecycle(given: RecycleOptions | undefined): RecycleOptions {
  return resolveOptions('runCluster: recycle', given, {
    checks: {
      maxAgeMs: durationMs(1, Number.MAX_SAFE_INTEGER),
      maxRequests: integer(1),
      maxRssBytes: integer(1),
      minAgeMs: durationMs(1),
      jitterRatio: number(0, 1),
    },
    defaults: recycleDefaults,
  })
}

type Limits = Omit<RecycleOptions, 'jitterRatio' | 'minAgeMs'>

/** How often the wait of a place may double. */
const MOST_DOUBLINGS = 3

/** One worker's own limits. @param random in [0, 1) */
export function jittered(
  { jitterRatio = recycleDefaults.jitterRatio, minAgeMs: _, ...limits }: RecycleOptions,
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
  minAgeMs = 0,
): 'age' | 'requests' | 'memory' | undefined {
  if (maxAgeMs !== undefined && ageMs > maxAgeMs) return 'age'
  if (ageMs < minAgeMs) return undefined
  if (maxRssBytes !== undefined && rssBytes > maxRssBytes) return 'memory'
  if (maxRequests !== undefined && requests > maxRequests) return 'requests'
  return undefined
}

/** Reaching a limit again and again does not mend itself by replacing. */
export class RecycleFloor {
  private doublings = 0

  constructor(private readonly minAgeMs: number) {}

  /** How old the worker of this place has to be now. */
  get ageMs(): number {
    return this.minAgeMs * 2 ** this.doublings
  }

  /** A worker was replaced at this age. @returns whether the next one has to wait longer */
  recycledAt(ageMs: number): boolean {
    const before = this.doublings
    this.doublings = ageMs < 2 * this.ageMs ? Math.min(before + 1, MOST_DOUBLINGS) : 0
    return this.doublings > before
  }
}
