import { randomText } from '@scale/core'
import { type Frame, type FrameKind, graceMsOf, type TagStamp } from './frame.js'

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

/** A value as it is held in process. */
export interface Held {
  readonly value: unknown
  readonly valueBytes: number
}

/** A value that is to become an entry: in the store a frame, in process what is held of it. */
export interface Draft extends Held, Omit<Frame, 'id' | 'tags'> {
  readonly ttlMs: number
}

export function frameOf(
  { value: _value, valueBytes: _bytes, ttlMs: _ttlMs, ...frame }: Draft,
  tags: readonly TagStamp[],
): Frame {
  return { ...frame, id: randomText(8, 'latin1'), tags }
}

/** How long the store keeps it: fresh and stale, in ms. */
export function lifetimeOf(draft: Draft): number {
  return Math.ceil(draft.ttlMs) + graceMsOf(draft)
}

/** @param ttlMs  for how much longer it is fresh at `nowMs` */
export function entryOf(frame: Frame, { value, valueBytes }: Held, ttlMs: number, nowMs: number): Entry {
  const freshUntil = nowMs + ttlMs
  return {
    kind: frame.kind,
    value,
    id: frame.id,
    costMs: frame.costMs,
    freshUntil,
    endsAt: freshUntil,
    staleUntil: freshUntil + frame.staleWhileRevalidateMs,
    errorUntil: freshUntil + frame.staleIfErrorMs,
    l1Until: frame.l1TtlMs === 0 ? Number.POSITIVE_INFINITY : nowMs + frame.l1TtlMs,
    tags: frame.tags,
    bytes: valueBytes + frame.tags.reduce((sum, { tag }) => sum + tag.length * 2 + 80, 0),
  }
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

export function isFresh(entry: Entry | undefined): entry is Entry {
  return entry !== undefined && performance.now() < entry.freshUntil
}

/**
 * Whether a read should load a fresh value anew already, by chance: XFetch. Likelier the costlier the load and the
 * nearer the end, so that of many readers one starts early and the others never see a miss.
 *
 * @param beta    eagerness; 0 is never
 * @see Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015
 */
export function isEarly(entry: Entry, nowMs: number, beta: number): boolean {
  const lead = entry.costMs * beta
  // −ln(u) is above 30 once in 10¹³ draws: far from its end an entry costs a comparison.
  if (lead === 0 || nowMs + lead * 30 < entry.freshUntil) return false
  return nowMs - lead * Math.log(1 - Math.random()) >= entry.freshUntil
}
