import type { GaugeAggregation, MetricDefinition } from './catalogue.js'
import { selfCatalogue } from './catalogue.js'
import { MetricConflict, MetricsInWorker } from './errors.js'
import { Fleet, type Gathered } from './fleet.js'
import { Included } from './included.js'
import {
  type CounterSeries,
  Family,
  type GaugeSeries,
  type HistogramSeries,
  type Instrument,
} from './instruments.js'
import { checkDefinition, type RegistryOptions, resolveRegistryOptions } from './options.js'
import { Reporter } from './reporter.js'
import { processRole } from './role.js'
import type { FamilySnapshot } from './snapshot.js'

/** A metric of your own. */
export interface OwnMetric {
  /** In the form Prometheus wants: base unit in the name, `_total` on counters. */
  name: string
  help: string
  /** Names of labels, whose values must be bounded: no URL, no user, no address. Default none */
  labels?: readonly string[]
}

/** Where the metrics of one process live; with those of all workers, when asked in the primary. */
export interface Registry {
  /** @throws {MetricConflict} the name is taken by something else; the same metric again is the same instrument */
  counter(metric: OwnMetric): Instrument<CounterSeries>
  /** @throws {MetricConflict} */
  gauge(metric: OwnMetric & { aggregate: GaugeAggregation }): Instrument<GaugeSeries>
  /** @throws {MetricConflict} */
  histogram(metric: OwnMetric & { bounds: readonly number[] }): Instrument<HistogramSeries>
  /** Calls back before each reading, for gauges that are looked up. @returns a function that ends it */
  onCollect(collect: () => void): () => void
  /**
   * In a cluster worker: pushes the numbers to the primary now. Call it as the last step of a shutdown, so that the
   * requests since the last push count. Elsewhere it does nothing.
   */
  push(): Promise<void>
  /** This process alone. */
  snapshot(): Promise<FamilySnapshot[]>
  /**
   * Everything this process knows: in a primary, itself and all workers, also those that have ended. Never waits
   * longer than `deadlineMs`.
   *
   * @throws {MetricsInWorker} in a cluster worker
   */
  gather(deadlineMs: number): Promise<Gathered>
}

/**
 * Makes a registry. Most apps need none: everything uses the one of the process unless told otherwise. Make one to
 * set options, or to serve metrics of prom-client with ours.
 *
 * In a cluster worker it starts to push to the primary; in a primary it starts to listen. So make it, with the same
 * options, in both.
 *
 * @throws {InvalidOption}
 */
export function createRegistry(options?: RegistryOptions): Registry {
  return new ProcessRegistry(options)
}

const globalKey = Symbol.for('@scale/metrics')

/** The one registry of the process, also for a second copy of this package. */
export function defaultRegistry(): Registry {
  const holder = globalThis as { [globalKey]?: Registry }
  holder[globalKey] ??= createRegistry()
  return holder[globalKey]
}

class ProcessRegistry implements Registry {
  private readonly options: Readonly<Required<RegistryOptions>>
  private readonly families = new Map<string, Family>()
  private readonly collectors = new Set<() => void>()
  private readonly included: readonly Included[]
  private readonly overflow: Family
  private readonly reporter: Reporter | undefined
  private readonly fleet: Fleet | undefined

  constructor(given: RegistryOptions | undefined) {
    this.options = resolveRegistryOptions(given)
    this.included = this.options.include.map((registry) => new Included(registry))
    this.overflow = this.instrument(selfCatalogue.overflow)
    const { name, pushIntervalMs, maxSeries } = this.options
    if (processRole() === 'worker') {
      this.reporter = new Reporter(name, pushIntervalMs, this)
      this.reporter.start()
    } else {
      this.fleet = new Fleet(name, maxSeries, this)
    }
  }

  counter(metric: OwnMetric): Instrument<CounterSeries> {
    return this.instrument({ labels: [], ...metric, type: 'counter' })
  }

  gauge(metric: OwnMetric & { aggregate: GaugeAggregation }): Instrument<GaugeSeries> {
    return this.instrument({ labels: [], ...metric, type: 'gauge' })
  }

  histogram(metric: OwnMetric & { bounds: readonly number[] }): Instrument<HistogramSeries> {
    return this.instrument({ labels: [], ...metric, type: 'histogram' })
  }

  instrument(definition: MetricDefinition): Family {
    checkDefinition(definition)
    const known = this.families.get(definition.name)
    if (known !== undefined) {
      if (!isSame(known.definition, definition)) throw new MetricConflict(definition.name)
      return known
    }
    const { name } = definition
    const family = new Family(definition, this.options.maxSeries, () => this.overflow.with(name).add())
    this.families.set(name, family)
    return family
  }

  onCollect(collect: () => void): () => void {
    this.collectors.add(collect)
    return () => {
      this.collectors.delete(collect)
    }
  }

  async push(): Promise<void> {
    await this.reporter?.push()
  }

  async snapshot(): Promise<FamilySnapshot[]> {
    await Promise.all(this.included.map((one) => one.refresh()))
    return this.snapshotNow()
  }

  /** As `snapshot`, with what other registries said last. */
  snapshotNow(): FamilySnapshot[] {
    for (const collect of this.collectors) collect()
    const own = [...this.families.values()].map((family) => family.snapshot())
    const foreign = this.included.flatMap(({ families }) => families)
    return [...own, ...foreign.filter(({ name }) => !this.families.has(name))]
  }

  async gather(deadlineMs: number): Promise<Gathered> {
    if (this.fleet === undefined) throw new MetricsInWorker()
    return this.fleet.gather(deadlineMs)
  }
}

function isSame(one: MetricDefinition, other: MetricDefinition): boolean {
  const shape = (definition: MetricDefinition): string =>
    JSON.stringify([
      definition.type,
      definition.labels,
      definition.type === 'histogram' ? definition.bounds : undefined,
      definition.type === 'gauge' ? definition.aggregate : undefined,
    ])
  return shape(one) === shape(other)
}
