/** One admitted request. */
export interface Admitted {
  readonly at: number
  readonly units: number
}

/**
 * The most units in any half-open window `(t − windowMs, t]`, by looking at each. It knows nothing of how they were
 * admitted.
 */
export function worstWindow(admitted: readonly Admitted[], windowMs: number): number {
  const sorted = [...admitted].sort((a, b) => a.at - b.at)
  let worst = 0
  for (let end = 0; end < sorted.length; end++) {
    let units = 0
    for (let index = end; index >= 0 && sorted[index]!.at > sorted[end]!.at - windowMs; index--) {
      units += sorted[index]!.units
    }
    // Those of the same ms as the end, but later in the list, belong to the window as well.
    for (let index = end + 1; index < sorted.length && sorted[index]!.at === sorted[end]!.at; index++) {
      units += sorted[index]!.units
    }
    worst = Math.max(worst, units)
  }
  return worst
}
