import type { RevocationStore } from './revocation-store.js'

/** Options of `memoryRevocationStore`. */
export interface MemoryRevocationStoreOptions {
  /** Marks at a time; above it the one that was set first goes. Default 100,000 */
  maxMarks?: number
  /** The time, in ms. Default `Date.now` */
  clock?: () => number
}

/** Marks in this process: for tests, for a first try, and for the one process that is all there is. */
export function memoryRevocationStore(options: MemoryRevocationStoreOptions = {}): RevocationStore {
  const { maxMarks = 100_000, clock = Date.now } = options
  const marks = new Map<string, { at: number; endsAt: number }>()
  const keyOf = (tag: string, name: string): string => `${tag} ${name}`

  function read(key: string): { at: number; endsAt: number } | undefined {
    const mark = marks.get(key)
    if (mark === undefined || clock() < mark.endsAt) return mark
    marks.delete(key)
    return undefined
  }

  return {
    raise: async (tag, name, { at, aheadMs, keptMs, until = Number.POSITIVE_INFINITY }) => {
      const key = keyOf(tag, name)
      const nowMs = clock()
      const known = read(key)
      marks.delete(key)
      marks.set(key, {
        at: Math.max(at ?? nowMs + aheadMs, known?.at ?? 0),
        endsAt: Math.max(nowMs + Math.max(1, Math.min(keptMs, until - nowMs)), known?.endsAt ?? 0),
      })
      if (marks.size > maxMarks) marks.delete(marks.keys().next().value!)
    },
    get: (tag, names) => names.map((name) => read(keyOf(tag, name))?.at),
  }
}
