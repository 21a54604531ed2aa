import {
  type Exemplar,
  type FamilySnapshot,
  overflowLabels,
  type SeriesSnapshot,
  seriesKey,
} from '../series/snapshot.js'

interface MergedFamily extends Omit<FamilySnapshot, 'series'> {
  series: Map<string, MergedSeries>
}

interface MergedSeries extends SeriesSnapshot {
  /** What rounding has taken from the last value: the only one that need not be an integer. */
  lost: number
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

/**
 * Adds up what several processes say of the same metrics.
 *
 * In whatever order fractions are added, the sum is the same: else a counter would go down by its last digit when a worker
 * ends, and Prometheus would take that for a restart from 0.
 */
export class Accumulator {
  private readonly merged = new Map<string, MergedFamily>()

  /** @param from  what is to be added to; it stays as it is */
  constructor(
    private readonly admission: Admission,
    from?: Accumulator,
  ) {
    for (const [name, family] of from?.merged ?? []) {
      const series = new Map<string, MergedSeries>()
      for (const [key, one] of family.series) series.set(key, { ...one, values: [...one.values] })
      this.merged.set(name, { ...family, series })
    }
  }

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

  /** Whether anybody has said anything of a metric. */
  has(name: string): boolean {
    return (this.merged.get(name)?.series.size ?? 0) > 0
  }

  get families(): FamilySnapshot[] {
    return [...this.merged.values()].map((family) => ({
      ...family,
      series: [...family.series.values()].map(({ labels, values, lost, exemplars }) => ({
        labels,
        values: values.with(-1, values.at(-1)! + lost),
        ...(exemplars && { exemplars }),
      })),
    }))
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
    { labels: given, values: raw, exemplars: told }: SeriesSnapshot,
    worker: string,
  ): void {
    const isPerWorker = target.type === 'gauge' && target.aggregate === 'worker'
    let labels = isPerWorker ? { ...given, worker } : given
    let key = seriesKey(labels)
    if (given.otel_metric_overflow === undefined && !this.admission.admits(target.name, key)) {
      labels = overflowLabels
      key = seriesKey(labels)
    }
    const values = target.type === 'histogram' ? rebin(raw, family.bounds, target.bounds) : raw
    // They stand for buckets that are no longer there.
    const exemplars = values.length === raw.length ? told : undefined
    const known = target.series.get(key)
    if (known === undefined) target.series.set(key, { labels, values: [...values], exemplars, lost: 0 })
    else {
      combine(known, values, target)
      known.exemplars = newest(known.exemplars, exemplars)
    }
  }
}

function newest(
  one: SeriesSnapshot['exemplars'],
  other: SeriesSnapshot['exemplars'],
): SeriesSnapshot['exemplars'] {
  if (one === undefined || other === undefined) return one ?? other
  const at = (exemplar: Exemplar | null | undefined): number => exemplar?.at ?? 0
  return one.map((exemplar, bucket) => (at(other[bucket]) > at(exemplar) ? other[bucket] : exemplar))
}

function combine(series: MergedSeries, values: readonly number[], { type, aggregate }: MergedFamily): void {
  const into = series.values
  if (type === 'gauge' && aggregate === 'max') into[0] = extreme(Math.max, into[0]!, values[0]!)
  else if (type === 'gauge' && aggregate === 'min') into[0] = extreme(Math.min, into[0]!, values[0]!)
  else addUp(series, values)
}

/** As Prometheus has it: what is no number is neither the largest nor the smallest, unless there is nothing else. */
function extreme(of: (one: number, other: number) => number, one: number, other: number): number {
  if (Number.isNaN(one)) return other
  return Number.isNaN(other) ? one : of(one, other)
}

/** The last value with what its rounding takes. @see Knuth, The Art of Computer Programming II, §4.2.2, theorem B */
function addUp(series: MergedSeries, values: readonly number[]): void {
  const into = series.values
  const last = values.length - 1
  for (let index = 0; index < last; index++) into[index]! += values[index]!
  const [one, other] = [into[last]!, values[last]!]
  const sum = one + other
  into[last] = sum
  if (!Number.isFinite(sum)) return
  const added = sum - one
  series.lost += one - (sum - added) + (other - added)
}

/** Releases with other buckets run side by side during a rolling deploy: what both have can be added up exactly. */
function commonBounds(one: readonly number[], other: readonly number[]): readonly number[] {
  const isSame = one.length === other.length && one.every((bound, index) => bound === other[index])
  return isSame ? one : one.filter((bound) => other.includes(bound))
}

function narrow(target: MergedFamily, bounds: readonly number[]): void {
  for (const series of target.series.values()) {
    Object.assign(series, { values: [...rebin(series.values, target.bounds, bounds)], exemplars: undefined })
  }
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
