import type { FrameKind, TagStamp } from './frame.js'

/** An entry in this process. Points in time are of the monotonic clock, `performance.now()`. */
export interface Entry {
  readonly kind: FrameKind
  /** Decoded; with `isolation: 'copy'` the bytes, to be decoded for each caller. */
  readonly value: unknown
  readonly id: string
  /** What loading it cost, in ms. */
  readonly costMs: number
  readonly freshUntil: number
  /** When it was to go stale as it was stored; a soft invalidation brings only `freshUntil` forward. */
  readonly endsAt: number
  /** Until then it may be served while it is loaded anew. */
  readonly staleUntil: number
  /** Until then it may be served if loading fails. */
  readonly errorUntil: number
  /** Until then it may stay in process. */
  readonly l1Until: number
  readonly tags: readonly TagStamp[]
  /** What it takes in process, in bytes, about. */
  readonly bytes: number
}

/** The same entry, gone stale by a soft invalidation at `since`, when its windows begin. It is not kept in process. */
export function staleFrom(entry: Entry, since: number, nowMs: number): Entry {
  const earlierMs = Math.max(0, entry.freshUntil - since)
  return {
    ...entry,
    freshUntil: entry.freshUntil - earlierMs,
    staleUntil: entry.staleUntil - earlierMs,
    errorUntil: entry.errorUntil - earlierMs,
    l1Until: nowMs,
  }
}

/**
 * Whether a read should load a fresh value anew already, by chance: XFetch. Likelier the costlier the load and the
 * nearer the end, so that of many readers one starts early and the others never see a miss.
 *
 * @param beta    eagerness; 0 is never
 * @param random  uniform in [0, 1)
 * @see Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015
 */
export function isEarly(
  entry: Entry,
  nowMs: number,
  beta: number,
  random: () => number = Math.random,
): boolean {
  const lead = entry.costMs * beta
  // −ln(u) is above 30 once in 10¹³ draws: far from its end an entry costs a comparison.
  if (lead === 0 || nowMs + lead * 30 < entry.freshUntil) return false
  return nowMs - lead * Math.log(1 - random()) >= entry.freshUntil
}
