import { InvalidOption } from '@scale/core'
import { register as globalRegister } from 'prom-client'
import {
  type CounterDefinition,
  type GaugeDefinition,
  type HistogramDefinition,
  type MetricDefinition,
  selfCatalogue,
} from '../catalogue.js'
import { MetricConflict, MetricsInWorker } from '../errors.js'
import { type FleetOptions, type fleetDefaults, resolveFleetOptions } from '../options.js'
import {
  type CounterSeries,
  Family,
  type GaugeSeries,
  type HistogramSeries,
  type Instrument,
  isFamily,
} from '../series/family.js'
import { Reading } from '../series/reading.js'
import type { Register } from '../series/register.js'
import type { FamilySnapshot } from '../series/snapshot.js'
import { type Gathered, Primary } from './primary.js'
import { Reporter } from './reporter.js'
import { processRole } from './role.js'

/** The metrics of one register in all processes of a service. */
export interface Fleet {
  readonly register: Register
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
   * @throws {MetricConflict} workers push under a name that two registers of this process have
   */
  gather(deadlineMs: number): Promise<Gathered>
}

/**
 * The fleet of a register, made at first sight. Everything here makes it with the defaults; call it earlier to set options,
 * with the same ones in the primary and in each worker. In a cluster worker it starts to push to the primary; in a
 * primary it starts to listen.
 *
 * @throws {InvalidOption} also if the register has its fleet already and other options are asked for
 * @throws {MetricConflict} in a worker, another register has this name
 */
export function fleet(options?: FleetOptions): Fleet {
  return fleetOf(options)
}

const globalKey = Symbol.for('@scale/metrics')

/** One for each register, also for a second copy of this package. */
function fleets(): WeakMap<Register, ProcessFleet> {
  const holder = globalThis as { [globalKey]?: WeakMap<Register, ProcessFleet> }
  holder[globalKey] ??= new WeakMap()
  return holder[globalKey]
}

/** As `fleet`, for those who make metrics in it. */
export function fleetOf(
  given: { [Name in keyof FleetOptions]: FleetOptions[Name] | undefined } = {},
): ProcessFleet {
  // `undefined` is as good as absent to whoever checks options.
  const options = given as FleetOptions
  const register = options.register ?? (globalRegister as unknown as Register)
  const known = fleets().get(register)
  if (known !== undefined) {
    known.checkSame(options)
    return known
  }
  const made = new ProcessFleet(register, options)
  fleets().set(register, made)
  return made
}

class ProcessFleet implements Fleet {
  private readonly options: typeof fleetDefaults
  private readonly reading: Reading
  private readonly reporter: Reporter | undefined
  private readonly primary: Primary | undefined

  constructor(
    readonly register: Register,
    given: FleetOptions,
  ) {
    this.options = resolveFleetOptions(given)
    this.reading = new Reading(register)
    const { name, pushIntervalMs, maxSeries } = this.options
    if (processRole() === 'worker') {
      this.reporter = new Reporter(name, pushIntervalMs, this.reading)
      this.reporter.start()
    } else {
      this.primary = new Primary(name, maxSeries, this.reading)
    }
    this.make(selfCatalogue.overflow)
  }

  /** @throws {InvalidOption} */
  checkSame(given: FleetOptions): void {
    resolveFleetOptions(given)
    const isOther = (key: keyof typeof fleetDefaults): boolean =>
      given[key] !== undefined && given[key] !== this.options[key]
    if (!isOther('name') && !isOther('maxSeries') && !isOther('pushIntervalMs')) return
    throw new InvalidOption(
      'fleet: this register has its fleet already, with other options. Call `fleet` before anything else uses the register.',
    )
  }

  counter(definition: CounterDefinition): Instrument<CounterSeries> {
    return this.make(definition)
  }

  gauge(definition: GaugeDefinition): Instrument<GaugeSeries> {
    return this.make(definition)
  }

  histogram(definition: HistogramDefinition): Instrument<HistogramSeries> {
    return this.make(definition)
  }

  /** The metric in the register, or a new one: the register alone knows which there are. */
  make(definition: MetricDefinition): Family {
    const { register } = this
    const known = register.getSingleMetric(definition.name)
    if (known !== undefined) {
      if (!isFamily(known) || !isSame(known.definition, definition)) throw new MetricConflict(definition.name)
      return known
    }
    const { name } = definition
    const family = new Family(definition, this.options.maxSeries, () => {
      this.make(selfCatalogue.overflow).with(name).add()
    })
    register.registerMetric(family as never)
    return family
  }

  async push(): Promise<void> {
    await this.reporter?.push()
  }

  snapshot(): Promise<FamilySnapshot[]> {
    return this.reading.read()
  }

  async gather(deadlineMs: number): Promise<Gathered> {
    if (this.primary === undefined) throw new MetricsInWorker()
    return this.primary.gather(deadlineMs)
  }
}

export type { ProcessFleet }

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
