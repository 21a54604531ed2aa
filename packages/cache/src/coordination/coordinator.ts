import { setTimeout as delay } from 'node:timers/promises'
import type { Reports } from '../channels.js'
import type { Entries, Found, Lease } from '../entries/entries.js'
import { type Entry, isEarly, isFresh } from '../entries/entry.js'
import { braced } from '../entries/names.js'
import type { ResolvedCacheOptions } from '../options.js'

/** What is asked for. */
export interface Want {
  readonly key: string
  /** Tags known before the load. */
  readonly tags: readonly string[]
  /** For how long those must be remembered, in ms. */
  readonly tagLifetimeMs: number
  /** Whether an entry, fresh or stale, may be served as it is. */
  accepts(entry: Entry, nowMs: number): boolean
}

/** What one who asks is to do. */
export type Turn =
  /** Serve it; and replace it in the background, under the lease if there is one, else if it is due. */
  | {
      readonly kind: 'serve'
      readonly entry: Entry
      readonly layer: 'l1' | 'l2'
      readonly lease: Lease | undefined
      readonly isDue: boolean
    }
  /**
   * Load it. Without a lease nothing is to be stored: the store does not answer, or somebody else has been loading for
   * too long.
   */
  | {
      readonly kind: 'load'
      readonly lease: Lease | undefined
      readonly stale: Entry | undefined
      readonly hasWaited: boolean
    }

/** Something under way in this process that others may wait for. */
export interface Flight<Outcome = unknown> {
  readonly key: string
  /** Flights that it waits for itself. */
  readonly waitsFor: Set<Flight>
  readonly startedAt: number
  /** Tags named beforehand; `undefined` if they are known only after the load. */
  readonly tags: readonly string[] | undefined
  readonly result: Promise<Outcome>
}

/** Longest pause between two looks at a key that another process is loading, in ms. */
const MAX_POLL_MS = 200

/**
 * Decides who loads: one per key in this process by a flight, one in the fleet by a lease; and what the others get
 * meanwhile. Knows nothing of loaders or of HTTP.
 *
 * A flight that an invalidation has overtaken takes no new passengers: whoever asks after the invalidation gets a load
 * that began after it.
 */
export class Coordinator {
  readonly entries: Entries
  readonly reports: Reports
  readonly #options: ResolvedCacheOptions
  readonly #flights = new Map<string, Flight>()

  constructor(entries: Entries, reports: Reports, options: ResolvedCacheOptions) {
    this.entries = entries
    this.reports = reports
    this.#options = options
  }

  /**
   * A flight that may be joined. While the channel is silent an invalidation may have gone unheard: then only a young
   * one.
   */
  join<Outcome>(key: string): Flight<Outcome> | undefined {
    const flight = this.#flights.get(key)
    if (flight === undefined) return undefined
    const nowMs = performance.now()
    const isYoung = nowMs - flight.startedAt < this.#options.livenessMs
    return isYoung || this.entries.local.coherence.trusted(nowMs) ? (flight as Flight<Outcome>) : undefined
  }

  /** Whether something is under way for the key, however long. */
  isBusy(key: string): boolean {
    return this.#flights.has(key)
  }

  /** Replaces a flight that may not be joined; that one goes on for its passengers. */
  start<Outcome>(
    key: string,
    tags: readonly string[] | undefined,
    run: (flight: Flight<Outcome>) => Promise<Outcome>,
  ): Flight<Outcome> {
    let settle!: (result: Promise<Outcome>) => void
    const result = new Promise<Outcome>((resolve) => {
      settle = resolve
    }).finally(() => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    })
    const flight: Flight<Outcome> = { key, waitsFor: new Set(), startedAt: performance.now(), tags, result }
    this.#flights.set(key, flight)
    settle(run(flight))
    return flight
  }

  /** Looks into the store until there is something to serve, a lease, or no more time. */
  async acquire(want: Want, giveUpAt: number = performance.now() + this.#options.waitMs): Promise<Turn> {
    let rejectedId: string | undefined
    for (let pauseMs = 10; ; pauseMs = Math.min(MAX_POLL_MS, pauseMs * 1.5)) {
      const found = await this.look(want, rejectedId)
      const nowMs = performance.now()
      if (found === undefined) return this.#withoutStore(want, nowMs)
      const { entry, lease } = found
      if (entry !== undefined && want.accepts(entry, nowMs)) {
        const isDue = found.rejectedId !== undefined || isEarly(entry, nowMs, this.#options.earlyRefresh)
        return { kind: 'serve', entry, layer: 'l2', lease, isDue: lease === undefined && isDue }
      }
      if (lease !== undefined) return { kind: 'load', lease, stale: entry, hasWaited: false }
      const rejected = found.rejectedId ?? (isFresh(entry) ? entry.id : undefined)
      if (rejected !== undefined && rejected !== rejectedId) {
        rejectedId = rejected
        continue
      }
      if (nowMs >= giveUpAt) return { kind: 'load', lease: undefined, stale: entry, hasWaited: true }
      // Of many processes that wait, none should look at the same moment.
      await delay(Math.min(found.leaseLeftMs + 1, pauseMs * (0.5 + Math.random())))
    }
  }

  /**
   * One look into the store, which may give the lease.
   *
   * @param rejectedId  of an entry that counts as stale
   * @returns `undefined` if the store does not answer
   */
  async look(want: Want, rejectedId: string | undefined): Promise<Found | undefined> {
    const { key, tags, tagLifetimeMs } = want
    if (!this.entries.store.available(key)) {
      this.reports.storeAway()
      return undefined
    }
    try {
      return await this.entries.load(key, { tags, tagLifetimeMs, rejectedId })
    } catch (error) {
      this.reports.storeError('load', error)
      return undefined
    }
  }

  /** Renews a lease until the function that it returns is called. */
  hold(key: string, lease: Lease | undefined): () => void {
    if (lease === undefined) return () => {}
    const timer = setInterval(() => {
      this.entries.renew(key, lease).catch((error) => this.reports.storeError('fill', error))
    }, this.#options.leaseMs / 3).unref()
    return () => clearInterval(timer)
  }

  /** Gives a lease back, without a value. */
  async release(key: string, lease: Lease | undefined): Promise<void> {
    if (lease !== undefined)
      await this.entries.release(key, lease).catch((error) => this.reports.storeError('fill', error))
  }

  overtakeKey(key: string): void {
    this.entries.local.invalidateKey(key)
    this.overtakeFlight(key)
  }

  /** As `overtakeKey`, where the copy in this process is newer than what overtakes. */
  overtakeFlight(key: string): void {
    this.#flights.delete(key)
  }

  /** @param name  of the tag, as it travels */
  overtakeTag(name: string): void {
    this.entries.local.invalidateTag(name)
    for (const [key, { tags }] of this.#flights) {
      if (tags === undefined || tags.some((tag) => braced(tag) === name)) this.#flights.delete(key)
    }
  }

  /** Something may have been missed. */
  overtakeAll(): void {
    this.entries.local.invalidateAll()
    this.#flights.clear()
  }

  /** A copy in this process within the grace that the app allowed, else the load. */
  #withoutStore({ key, accepts }: Want, nowMs: number): Turn {
    const { local } = this.entries
    const entry = local.find(key, nowMs)
    const inGrace = local.coherence.silentForMs(nowMs) < this.#options.outageGraceMs
    if (entry !== undefined && inGrace && nowMs < entry.l1Until && accepts(entry, nowMs)) {
      return { kind: 'serve', entry, layer: 'l1', lease: undefined, isDue: false }
    }
    return { kind: 'load', lease: undefined, stale: undefined, hasWaited: false }
  }
}
