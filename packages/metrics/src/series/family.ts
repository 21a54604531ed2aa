import type { MetricDefinition } from '../catalogue.js'
import type { ForeignMetric } from './register.js'
import {
  type Exemplar,
  type FamilySnapshot,
  type Labels,
  overflowLabels,
  type SeriesSnapshot,
} from './snapshot.js'
import { written } from './written.js'

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
  /** Counts one, which from then on stands for its bucket in the trace where it was made. */
  observeIn(trace: { readonly traceId: string; readonly spanId: string }, value: number): void
}

/** A metric with its series. */
export interface Instrument<Series> {
  /**
   * The series with these label values, made at first sight. Keep it where the values do not change.
   *
   * Beyond `maxSeries` all new label values share one series, `otel_metric_overflow="true"`, and
   * `scale_metrics_overflow_total` counts these calls.
   *
   * @param values  as many as the metric has labels, in their order; an empty one leaves the label out
   */
  with(...values: string[]): Series
  /** True for the overflow series: it must not be kept under the labels that were asked for. */
  isOverflow(series: Series): boolean
  /** Calls back before each reading. @returns a function that ends it */
  onCollect(collect: () => void): () => void
}

/** Holds the numbers of one series, and moves them in each of the three ways. */
class Cell implements CounterSeries, GaugeSeries, HistogramSeries {
  readonly values: number[]
  exemplars: (Exemplar | undefined)[] | undefined

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
    const { values } = this
    values[this.bucketOf(value)]! += count
    values[values.length - 1]! += value * count
  }

  observeIn({ traceId, spanId }: { traceId: string; spanId: string }, value: number): void {
    this.observe(value)
    this.exemplars ??= new Array(this.values.length - 1).fill(undefined)
    this.exemplars[this.bucketOf(value)] = { traceId, spanId, value, at: Date.now() }
  }

  snapshot(): SeriesSnapshot {
    return { labels: this.labels, values: [...this.values], exemplars: this.exemplars && [...this.exemplars] }
  }

  private bucketOf(value: number): number {
    const bounds = this.bounds!
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++
    return bucket
  }
}

class CounterCell extends Cell {
  override add(amount: number = 1): void {
    if (amount > 0 && amount < Number.POSITIVE_INFINITY) this.values[0]! += amount
  }
}

/** All series of one metric in this process; to prom-client's registry a metric like its own. */
export class Family implements Instrument<Cell> {
  /** The registry takes `_total` off when it writes OpenMetrics: so this is its copy. */
  name: string
  readonly help: string
  readonly type: MetricDefinition['type']
  readonly aggregator: string
  private readonly cells = new Map<string, Cell>()
  private readonly collectors = new Set<() => void>()
  private overflow: Cell | undefined

  /** @param onOverflow  called for each `with` that was given the overflow series */
  constructor(
    readonly definition: MetricDefinition,
    private readonly maxSeries: number,
    private readonly onOverflow: () => void,
  ) {
    this.name = definition.name
    this.help = definition.help
    this.type = definition.type
    this.aggregator = written(this.snapshot()).aggregator!
    // A metric without labels has its one series from the start: "none yet" is 0, and `rate` sees the first. What is not
    // added up has no such value: 0 is not the smallest of anything, nor what a process that was not asked says.
    const isAdded = definition.type !== 'gauge' || definition.aggregate === 'sum'
    if (definition.labels.length === 0 && isAdded) this.with()
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

  onCollect(collect: () => void): () => void {
    this.collectors.add(collect)
    return () => {
      this.collectors.delete(collect)
    }
  }

  snapshot(): FamilySnapshot {
    for (const collect of this.collectors) collect()
    const { definition } = this
    const { name, help, type } = definition
    const aggregate = definition.type === 'gauge' ? definition.aggregate : 'sum'
    const bounds = definition.type === 'histogram' ? definition.bounds : []
    return { name, help, type, aggregate, bounds, series: this.all().map((cell) => cell.snapshot()) }
  }

  /** For the text of the registry. */
  getForPromString(): ForeignMetric {
    return { ...written(this.snapshot()), name: this.name }
  }

  /** For `getMetricsAsJSON`. */
  get(): ForeignMetric {
    const { values, ...metric } = this.getForPromString()
    return {
      ...metric,
      values: values!.map(({ labels, sharedLabels, ...value }) => ({
        ...value,
        labels: { ...labels, ...sharedLabels },
      })),
    }
  }

  /** Begins again at 0; series that are held go on to count. */
  reset(): void {
    for (const cell of this.all()) {
      cell.values.fill(0)
      cell.exemplars = undefined
    }
  }

  private all(): Cell[] {
    return this.overflow === undefined ? [...this.cells.values()] : [...this.cells.values(), this.overflow]
  }

  private cell(labels: Labels): Cell {
    const { definition } = this
    if (definition.type === 'counter') return new CounterCell(labels, undefined)
    return new Cell(labels, definition.type === 'histogram' ? definition.bounds : undefined)
  }
}

/** Whether it is one of ours, also of another copy of this package. */
export function isFamily(metric: unknown): metric is Family {
  return typeof (metric as Partial<Family> | undefined)?.definition === 'object'
}
