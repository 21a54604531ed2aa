import cluster, { type Worker } from 'node:cluster'
import { selfCatalogue } from '../catalogue.js'
import { MetricConflict } from '../errors.js'
import type { Reading } from '../series/reading.js'
import type { FamilySnapshot } from '../series/snapshot.js'
import { Accumulator, Admission } from './merge.js'
import { unwrapPush, wrapPull } from './messages.js'

/** The numbers of all processes. */
export interface Gathered {
  families: FamilySnapshot[]
  /** Workers whose numbers are part of it. */
  workers: number
  /** How many of them were asked and did not answer: their last push stands for them. */
  missing: number
}

/** A worker that has pushed. */
interface Source {
  /** The smallest number that no other live worker has: bounded, however often workers are replaced. */
  slot: number
  families: FamilySnapshot[]
  /** It was asked and has said nothing since. */
  isAsked: boolean
  /** It was asked, and was silent when the time was over. */
  isSilent: boolean
}

/**
 * The primary's side: keeps the last push of each worker, and of those that have ended what lasts. So a counter never
 * goes down, whatever a worker dies of; it loses at most what the worker counted since its last push.
 */
export class Primary {
  private readonly sources = new Map<Worker, Source>()
  private readonly admission: Admission
  private readonly retired: Accumulator
  private readonly waiting = new Set<() => void>()
  private gathering: Promise<Gathered> | undefined

  constructor(
    readonly name: string,
    maxSeries: number,
    private readonly reading: Reading,
  ) {
    this.admission = new Admission(maxSeries)
    this.retired = new Accumulator(this.admission)
    primaries.add(this)
    listenOnce()
  }

  /** Readers that ask at the same time share an answer. */
  gather(deadlineMs: number): Promise<Gathered> {
    this.gathering ??= this.gatherOnce(deadlineMs).finally(() => {
      this.gathering = undefined
    })
    return this.gathering
  }

  /** A worker has pushed. */
  hear(worker: Worker, families: FamilySnapshot[]): void {
    const source = this.sources.get(worker) ?? {
      slot: this.freeSlot(),
      families,
      isAsked: false,
      isSilent: false,
    }
    this.sources.set(worker, Object.assign(source, { families, isAsked: false, isSilent: false }))
    this.wake()
  }

  /** A worker has ended. */
  retire(worker: Worker): void {
    const source = this.sources.get(worker)
    if (source === undefined) return
    this.sources.delete(worker)
    this.retired.add(source.families, String(source.slot), 'lasting')
    this.wake()
  }

  private wake(): void {
    for (const look of this.waiting) look()
  }

  private freeSlot(): number {
    const taken = new Set([...this.sources.values()].map(({ slot }) => slot))
    let slot = 1
    while (taken.has(slot)) slot++
    return slot
  }

  private async gatherOnce(deadlineMs: number): Promise<Gathered> {
    const isAmbiguous = [...primaries].some((other) => other !== this && other.name === this.name)
    if (isAmbiguous && this.sources.size > 0) throw MetricConflict.ofFleets(this.name)
    this.ask()
    const [local] = await Promise.all([this.reading.read(), this.untilAnswered(deadlineMs)])
    const total = new Accumulator(this.admission, this.retired)
    let missing = 0
    for (const source of this.sources.values()) {
      source.isSilent = source.isAsked
      if (source.isSilent) missing++
      total.add(source.families, String(source.slot))
    }
    const workers = this.sources.size
    const measured = local.filter((family) => !(isUnset(family) && total.has(family.name)))
    total.add(measured, workers === 0 ? '1' : 'primary')
    total.add(selfFamilies(workers, missing), '')
    return { families: total.families, workers, missing }
  }

  /** A silent worker has its question already; a second one would only lie in its pipe with the first. */
  private ask(): void {
    for (const [worker, source] of this.sources) {
      if (source.isSilent || !worker.isConnected()) continue
      source.isAsked = true
      worker.send(wrapPull({ fleet: this.name }), undefined, undefined, () => {})
    }
  }

  private untilAnswered(deadlineMs: number): Promise<void> {
    const isAnswered = (): boolean =>
      [...this.sources.values()].every(({ isAsked, isSilent }) => !isAsked || isSilent)
    if (isAnswered()) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.waiting.delete(look)
        resolve()
      }
      const look = (): void => {
        if (isAnswered()) done()
      }
      const timer = setTimeout(done, deadlineMs)
      this.waiting.add(look)
    })
  }
}

const primaries = new Set<Primary>()
let isListening = false

function listenOnce(): void {
  if (isListening) return
  isListening = true
  cluster.on('message', (worker, raw) => {
    const message = unwrapPush(raw)
    if (message === undefined) return
    for (const primary of primaries) {
      if (primary.name === message.fleet) primary.hear(worker, message.families)
    }
  })
  const retire = (worker: Worker): void => {
    for (const primary of primaries) primary.retire(worker)
  }
  // What a worker has sent is read before its pipe counts as closed: nothing of it comes after this.
  cluster.on('disconnect', retire)
  cluster.on('exit', (worker) => {
    if (!worker.isConnected()) retire(worker)
  })
}

/**
 * A gauge of prom-client without labels is 0 until it is set. In a primary, which measures little itself, that is no
 * measurement: it would be the smallest of all, or the largest of what is below 0.
 */
function isUnset({ type, aggregate, series }: FamilySnapshot): boolean {
  const isExtreme = type === 'gauge' && (aggregate === 'min' || aggregate === 'max')
  return isExtreme && series.every(({ values }) => values[0] === 0)
}

function selfFamilies(workers: number, missing: number): FamilySnapshot[] {
  const gauge = (
    definition: (typeof selfCatalogue)['workers' | 'missing'],
    value: number,
  ): FamilySnapshot => ({
    name: definition.name,
    help: definition.help,
    type: 'gauge',
    aggregate: 'sum',
    bounds: [],
    series: [{ labels: {}, values: [value] }],
  })
  return [gauge(selfCatalogue.workers, workers), gauge(selfCatalogue.missing, missing)]
}
