import type { LimitAlgorithm } from './limit.js'

/** So many at once, whatever happens. */
export function fixed(limit: number): LimitAlgorithm<null> {
  return { start: () => null, next: () => null, limit: () => limit }
}
