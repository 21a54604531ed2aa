import { type FamilySnapshot, labelText, overflowLabels, type SeriesSnapshot } from './snapshot.js'

interface MergedFamily extends Omit<FamilySnapshot, 'series'> {
  series: Map<string, SeriesSnapshot>
}

/**
 * Which series a metric may have. It remembers, so that a series that was shown once is never folded into the
 * overflow later, which would make it go down.
 */
export class Admission {
  private readonly admitted = new Map<string, Set<string>>()

  constructor(private readonly maxSeries: number) {}

  admits(metric: string, key: string): boolean {
    let keys = this.admitted.get(metric)
    if (keys === undefined) {
      keys = new Set()
      this.admitted.set(metric, keys)
    }
    if (keys.has(key)) return true
    if (keys.size >= this.maxSeries) return false
    keys.add(key)
    return true
  }
}

/** Adds up what several processes say of the same metrics. */
export class Accumulator {
  private readonly merged = new Map<string, MergedFamily>()

  constructor(private readonly admission: Admission) {}

  /**
   * @param worker  who says it, for gauges that are shown one by one
   * @param which   `'lasting'` leaves gauges out: those of a process end with it
   */
  add(families: readonly FamilySnapshot[], worker: string, which: 'all' | 'lasting' = 'all'): void {
    for (const family of families) {
      if (which === 'lasting' && family.type === 'gauge') continue
      const target = this.targetOf(family)
      // Two releases may disagree on what a name means; whoever came first is right.
      if (target.type !== family.type) continue
      const bounds = commonBounds(target.bounds, family.bounds)
      if (bounds !== target.bounds) narrow(target, bounds)
      for (const series of family.series) this.addSeries(target, family, series, worker)
    }
  }

  get families(): FamilySnapshot[] {
    return [...this.merged.values()].map((family) => ({ ...family, series: [...family.series.values()] }))
  }

  private targetOf({ series: _, ...meta }: FamilySnapshot): MergedFamily {
    let target = this.merged.get(meta.name)
    if (target === undefined) {
      target = { ...meta, series: new Map() }
      this.merged.set(meta.name, target)
    }
    return target
  }

  private addSeries(
    target: MergedFamily,
    family: FamilySnapshot,
    { labels: given, values: raw }: SeriesSnapshot,
    worker: string,
  ): void {
    const isPerWorker = target.type === 'gauge' && target.aggregate === 'worker'
    let labels = isPerWorker ? { ...given, worker } : given
    let key = labelText(labels)
    if (given.otel_metric_overflow === undefined && !this.admission.admits(target.name, key)) {
      labels = overflowLabels
      key = labelText(labels)
    }
    const values = target.type === 'histogram' ? rebin(raw, family.bounds, target.bounds) : raw
    const known = target.series.get(key)
    if (known === undefined) target.series.set(key, { labels, values: [...values] })
    else combine(known.values, values, target)
  }
}

function combine(into: number[], values: readonly number[], { type, aggregate }: MergedFamily): void {
  if (type === 'gauge' && aggregate === 'max') into[0] = Math.max(into[0]!, values[0]!)
  else if (type === 'gauge' && aggregate === 'min') into[0] = Math.min(into[0]!, values[0]!)
  else for (let index = 0; index < values.length; index++) into[index]! += values[index]!
}

/** Releases with other buckets run side by side during a rolling deploy: what both have can be added up exactly. */
function commonBounds(one: readonly number[], other: readonly number[]): readonly number[] {
  const isSame = one.length === other.length && one.every((bound, index) => bound === other[index])
  return isSame ? one : one.filter((bound) => other.includes(bound))
}

function narrow(target: MergedFamily, bounds: readonly number[]): void {
  for (const series of target.series.values())
    series.values = [...rebin(series.values, target.bounds, bounds)]
  target.bounds = bounds
}

function rebin(values: readonly number[], from: readonly number[], to: readonly number[]): readonly number[] {
  if (from.length === to.length) return values
  const result: number[] = new Array(to.length + 2).fill(0)
  for (let bucket = 0; bucket <= from.length; bucket++) {
    const at = bucket === from.length ? -1 : to.findIndex((bound) => bound >= from[bucket]!)
    result[at === -1 ? to.length : at]! += values[bucket]!
  }
  result[to.length + 1] = values[from.length + 1]!
  return result
}
