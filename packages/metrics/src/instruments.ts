import type { MetricDefinition } from './catalogue.js'
import { type FamilySnapshot, type Labels, overflowLabels, type SeriesSnapshot } from './snapshot.js'

/** One series of a counter. */
export interface CounterSeries {
  /** Adds to the count. What is not a positive number is left out: a counter never goes down. Default 1 */
  add(amount?: number): void
}

/** One series of a gauge. */
export interface GaugeSeries {
  set(value: number): void
  /** May be negative. */
  add(amount: number): void
}

/** One series of a histogram. */
export interface HistogramSeries {
  /** Counts one observation; what is not a finite number is left out. */
  observe(value: number): void
  /** Counts `count` observations of about `value`. */
  observe(value: number, count: number): void
}

/** A metric with its series. */
export interface Instrument<Series> {
  /**
   * The series with these label values, made at first sight. Keep it where the values do not change.
   *
   * Beyond the registry's `maxSeries` all new label values share one series, `otel_metric_overflow="true"`, and
   * `scale_metrics_overflow_total` counts these calls.
   *
   * @param values  as many as the metric has labels, in their order; an empty one leaves the label out
   */
  with(...values: string[]): Series
  /** True for the overflow series: it must not be kept under the labels that were asked for. */
  isOverflow(series: Series): boolean
}

/** Holds the numbers of one series, and moves them in each of the three ways. */
class Cell implements CounterSeries, GaugeSeries, HistogramSeries {
  readonly values: number[]

  constructor(
    readonly labels: Labels,
    private readonly bounds: readonly number[] | undefined,
  ) {
    this.values = new Array(bounds === undefined ? 1 : bounds.length + 2).fill(0)
  }

  set(value: number): void {
    this.values[0] = value
  }

  add(amount: number = 1): void {
    this.values[0]! += amount
  }

  observe(value: number, count: number = 1): void {
    if (!Number.isFinite(value)) return
    const { bounds, values } = this
    let bucket = 0
    while (bucket < bounds!.length && value > bounds![bucket]!) bucket++
    values[bucket]! += count
    values[values.length - 1]! += value * count
  }
}

class CounterCell extends Cell {
  override add(amount: number = 1): void {
    if (amount > 0 && amount < Number.POSITIVE_INFINITY) this.values[0]! += amount
  }
}

/** All series of one metric in this process. */
export class Family implements Instrument<Cell> {
  private readonly cells = new Map<string, Cell>()
  private overflow: Cell | undefined

  /** @param onOverflow  called for each `with` that was given the overflow series */
  constructor(
    readonly definition: MetricDefinition,
    private readonly maxSeries: number,
    private readonly onOverflow: () => void,
  ) {
    // A metric without labels has its one series from the start: "none yet" is 0, and `rate` sees the first.
    if (definition.labels.length === 0) this.with()
  }

  with(...values: string[]): Cell {
    const key = values.length === 1 ? values[0]! : values.join('\u0000')
    const known = this.cells.get(key)
    if (known !== undefined) return known
    if (this.cells.size >= this.maxSeries) {
      this.onOverflow()
      this.overflow ??= this.cell(overflowLabels)
      return this.overflow
    }
    const { labels } = this.definition
    const cell = this.cell(
      Object.fromEntries(
        labels.map((name, index) => [name, values[index] ?? '']).filter(([, value]) => value !== ''),
      ),
    )
    this.cells.set(key, cell)
    return cell
  }

  isOverflow(cell: unknown): boolean {
    return cell === this.overflow
  }

  snapshot(): FamilySnapshot {
    const { definition } = this
    const { name, help, type } = definition
    const aggregate = definition.type === 'gauge' ? definition.aggregate : 'sum'
    const bounds = definition.type === 'histogram' ? definition.bounds : []
    const series: SeriesSnapshot[] = []
    for (const { labels, values } of this.cells.values()) series.push({ labels, values: [...values] })
    if (this.overflow !== undefined) {
      series.push({ labels: this.overflow.labels, values: [...this.overflow.values] })
    }
    return { name, help, type, aggregate, bounds, series }
  }

  private cell(labels: Labels): Cell {
    const { definition } = this
    if (definition.type === 'counter') return new CounterCell(labels, undefined)
    return new Cell(labels, definition.type === 'histogram' ? definition.bounds : undefined)
  }
}
