import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { CacheOutcome } from './cache-status.js'
import { type CacheLoadMessage, loadChannel, readChannel, storeErrorChannel } from './channels.js'
import { type Drafted, draftOf, longestMs } from './drafts.js'
import { type Entries, type Found, isFresh, type Lease } from './entries.js'
import { type Entry, isEarly } from './entry.js'
import { LoadCycle, LoaderTimeout } from './errors.js'
import { type Flight, Flights } from './flights.js'
import { Limiter } from './limiter.js'
import type { LoadOptions, ResolvedCacheOptions } from './options.js'
import type { ValueFormat } from './values.js'

/** What a loader is told. */
export interface LoadContext<Value> {
  readonly key: string
  /** Aborted when the loader has run for `loaderTimeoutMs`; never because a client went away. */
  readonly signal: AbortSignal
  /** The value that is being replaced, if there is one; for a conditional request, say. */
  readonly stale: Value | undefined
}

/** Computes a value. */
export type Loader<Value> = (context: LoadContext<Value>) => Value | Promise<Value>

/** A value and how it was come by. */
export interface CacheResult<Value> extends CacheOutcome {
  readonly value: Value
}

type AnyLoader = Loader<unknown>
type AnyOptions = LoadOptions<unknown>
type Result = CacheResult<unknown>

/** Longest pause between two looks at a key that another process is loading, in ms. */
const MAX_POLL_MS = 200

/** Loads values once: per process by a flight, in the fleet by a lease. */
export class Loads {
  readonly #entries: Entries
  readonly #format: ValueFormat
  readonly #options: ResolvedCacheOptions
  readonly #flights = new Flights<Result>()
  readonly #limiter: Limiter

  constructor(entries: Entries, format: ValueFormat, options: ResolvedCacheOptions) {
    this.#entries = entries
    this.#format = format
    this.#options = options
    this.#limiter = new Limiter(options.maxConcurrentLoads, options.maxQueuedLoads)
  }

  /** What asked after an invalidation must not get what was begun before. */
  overtakeKey(key: string): void {
    this.#flights.overtakeKey(key)
  }

  overtakeTag(name: string): void {
    this.#flights.overtakeTag(name)
  }

  overtakeAll(): void {
    this.#flights.overtakeAll()
  }

  /** A copy in this process that may be served now; starts a load in the background where it is due. */
  local(key: string, loader: AnyLoader, options: AnyOptions): Entry | undefined {
    const nowMs = performance.now()
    const entry = this.#entries.find(key, nowMs)
    if (entry === undefined || nowMs >= entry.l1Until || !this.#entries.local.trusted(nowMs)) return undefined
    if (options.tags !== undefined && !carries(entry, options.tags)) return undefined
    if (nowMs < entry.freshUntil) {
      if (isEarly(entry, nowMs, this.#options.earlyRefresh)) this.#refresh(key, loader, options, entry)
      return entry
    }
    if (nowMs >= entry.staleUntil) return undefined
    this.#refresh(key, loader, options, entry)
    return entry
  }

  hit(entry: Entry, layer: 'l1' | 'l2', collapsed = false): Result {
    const ttlMs = entry.freshUntil - performance.now()
    const status = ttlMs > 0 ? 'hit' : 'stale'
    this.report(status, layer, collapsed)
    return {
      value: this.#format.give(entry.kind, entry.value),
      status,
      layer,
      ttlMs,
      collapsed,
      stored: true,
    }
  }

  report(outcome: 'hit' | 'stale' | 'miss', layer: 'l1' | 'l2' | undefined, collapsed: boolean): void {
    if (!readChannel.hasSubscribers) return
    readChannel.publish({ cache: this.#options.name, outcome, layer, collapsed })
  }

  /**
   * From the store, or by the loader.
   *
   * @param isReadable  false: what the store has under the key was deleted, and the store does not know it yet
   */
  async load(key: string, loader: AnyLoader, options: AnyOptions, isReadable = true): Promise<Result> {
    const { signal } = options
    signal?.throwIfAborted()
    const outer = within.getStore()
    const joined = this.#flights.find(key, (startedAt) => this.#mayJoin(startedAt))
    if (outer !== undefined && joined !== undefined) assertNoCycle(outer, joined)
    const flight =
      joined ??
      this.#flights.start(key, namedTags(options), () =>
        isReadable ? this.#run(key, loader, options) : this.#alone(key, loader, options, undefined),
      )
    outer?.waitsFor.add(flight)
    const result = await (signal === undefined ? flight.result : untilAborted(flight.result, signal)).finally(
      () => outer?.waitsFor.delete(flight),
    )
    if (joined === undefined) return result
    this.report(result.status, result.layer, true)
    return { ...result, value: this.#format.share(result.value), collapsed: true }
  }

  /** While the channel is silent an invalidation may have gone unheard: then only a young load may be joined. */
  #mayJoin(startedAt: number): boolean {
    const nowMs = performance.now()
    return this.#entries.local.trusted(nowMs) || nowMs - startedAt < this.#options.livenessMs
  }

  async #run(key: string, loader: AnyLoader, options: AnyOptions): Promise<Result> {
    const giveUpAt = performance.now() + this.#options.waitMs
    let rejectedId: string | undefined
    for (let pauseMs = 10; ; pauseMs = Math.min(MAX_POLL_MS, pauseMs * 1.5)) {
      const found = await this.#find(key, options, rejectedId)
      if (found === undefined) return this.#withoutStore(key, loader, options)
      const { entry, lease } = found
      if (lease === undefined && entry !== undefined && isFresh(entry)) {
        if (isEarly(entry, performance.now(), this.#options.earlyRefresh)) {
          this.#background(this.#reload(key, loader, options, entry))
        }
        return this.hit(entry, 'l2')
      }
      if (entry !== undefined && performance.now() < entry.staleUntil) {
        if (lease !== undefined) this.#background(this.#lead(key, loader, options, lease, entry))
        else if (found.rejectedId !== undefined) this.#background(this.#reload(key, loader, options, entry))
        return this.hit(entry, 'l2')
      }
      if (lease !== undefined) return this.#leadOrStale(key, loader, options, lease, entry)
      if (found.rejectedId !== undefined && found.rejectedId !== rejectedId) {
        rejectedId = found.rejectedId
        continue
      }
      if (performance.now() >= giveUpAt) return this.#alone(key, loader, options, entry)
      // Of many processes that wait, none should look at the same moment.
      await delay(Math.min(found.leaseLeftMs + 1, pauseMs * (0.5 + Math.random())))
    }
  }

  /** @returns `undefined` if the store does not answer */
  async #find(key: string, options: AnyOptions, rejectedId?: string): Promise<Found | undefined> {
    if (!this.#entries.store.available(key)) return undefined
    try {
      const tags = namedTags(options) ?? []
      return await this.#entries.load(key, {
        tags,
        tagLifetimeMs: longestMs(options, this.#options),
        rejectedId,
      })
    } catch (error) {
      this.#storeFailed('load', error)
      return undefined
    }
  }

  /** Loads anew in the background, unless somebody already does. */
  #refresh(key: string, loader: AnyLoader, options: AnyOptions, entry: Entry): void {
    if (this.#flights.find(key, () => true) !== undefined) return
    this.#background(
      this.#flights.start(key, namedTags(options), () => this.#reload(key, loader, options, entry)).result,
    )
  }

  async #reload(key: string, loader: AnyLoader, options: AnyOptions, stale: Entry): Promise<Result> {
    const found = await this.#find(key, options, stale.id)
    // Others may have joined: they get what a failure leaves them.
    if (found?.lease !== undefined)
      return this.#leadOrStale(key, loader, options, found.lease, found.entry ?? stale)
    return this.hit(found?.entry ?? stale, 'l2')
  }

  /** A failure has been reported on `scale:cache:load`; the value that is there stays until it is too old. */
  #background(load: Promise<Result>): void {
    load.catch(() => {})
  }

  async #leadOrStale(
    key: string,
    loader: AnyLoader,
    options: AnyOptions,
    lease: Lease,
    stale: Entry | undefined,
  ): Promise<Result> {
    const leading = this.#lead(key, loader, options, lease, stale)
    const softMs = this.#options.loaderSoftTimeoutMs
    if (stale === undefined || performance.now() >= stale.errorUntil) return leading
    const fallback = (): Result => this.hit(stale, 'l2')
    if (softMs === undefined) return leading.catch(fallback)
    this.#background(leading)
    return Promise.race([leading.catch(fallback), delay(softMs, undefined, { ref: false }).then(fallback)])
  }

  /** Loads under a lease, which is renewed meanwhile, and stores the value if the lease still stands. */
  async #lead(
    key: string,
    loader: AnyLoader,
    options: AnyOptions,
    lease: Lease,
    stale: Entry | undefined,
  ): Promise<Result> {
    const startedAt = performance.now()
    const renewal = setInterval(() => {
      this.#entries.renew(key, lease).catch((error) => this.#storeFailed('fill', error))
    }, this.#options.leaseMs / 3)
    renewal.unref()
    try {
      const value = await this.#call(key, loader, stale)
      const durationMs = performance.now() - startedAt
      const drafted = await draftOf(value, options, durationMs, this.#format, this.#options)
      const filling = this.#fill(key, lease, drafted, durationMs)
      const stored = this.#options.writes === 'through' ? await filling : drafted.draft !== undefined
      return this.#miss(drafted.value, drafted.draft?.ttlMs ?? 0, stored)
    } catch (error) {
      this.#reportLoad('failed', performance.now() - startedAt, error)
      await this.#entries.release(key, lease).catch((failure) => this.#storeFailed('fill', failure))
      throw error
    } finally {
      clearInterval(renewal)
    }
  }

  /** Another process has been loading for too long. Its lease stands, so nothing is stored. */
  async #alone(
    key: string,
    loader: AnyLoader,
    options: AnyOptions,
    stale: Entry | undefined,
  ): Promise<Result> {
    const startedAt = performance.now()
    try {
      const value = await this.#call(key, loader, stale)
      const durationMs = performance.now() - startedAt
      const drafted = await draftOf(value, options, durationMs, this.#format, this.#options)
      this.#reportLoad('unstored', durationMs)
      return this.#miss(drafted.value, drafted.draft?.ttlMs ?? 0, false)
    } catch (error) {
      this.#reportLoad('failed', performance.now() - startedAt, error)
      if (stale !== undefined && performance.now() < stale.errorUntil) return this.hit(stale, 'l2')
      throw error
    }
  }

  /** Redis is away: a copy in this process within the grace that the app allowed, else the loader. */
  #withoutStore(key: string, loader: AnyLoader, options: AnyOptions): Promise<Result> {
    const nowMs = performance.now()
    const entry = this.#entries.find(key, nowMs)
    const { outageGraceMs } = this.#options
    if (entry && nowMs < entry.l1Until && this.#entries.local.silentForMs(nowMs) < outageGraceMs) {
      if (nowMs < entry.freshUntil || nowMs < entry.staleUntil) return Promise.resolve(this.hit(entry, 'l1'))
    }
    return this.#alone(key, loader, options, undefined)
  }

  #call(key: string, loader: AnyLoader, stale: Entry | undefined): Promise<unknown> {
    const { loaderTimeoutMs } = this.#options
    const run = async (): Promise<unknown> => {
      const abort = new AbortController()
      let timer: NodeJS.Timeout | undefined
      const timeout = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          const error = new LoaderTimeout(loaderTimeoutMs)
          reject(error)
          abort.abort(error)
        }, loaderTimeoutMs)
      })
      const previous = stale === undefined ? undefined : this.#format.give(stale.kind, stale.value)
      try {
        const context = { key, signal: abort.signal, stale: previous }
        const flight = this.#flights.find(key, () => true)
        const loaded =
          flight === undefined ? loader(context) : within.run(flight, async () => loader(context))
        return await Promise.race([loaded, timeout])
      } finally {
        clearTimeout(timer)
      }
    }
    // A load inside of a load has the slot of the outer one: to wait for another might be to wait for ever.
    return within.getStore() === undefined ? this.#limiter.run(run) : run()
  }

  async #fill(key: string, lease: Lease, drafted: Drafted, durationMs: number): Promise<boolean> {
    const { draft } = drafted
    try {
      if (draft === undefined) await this.#entries.discard(key, lease)
      const stored = draft !== undefined && (await this.#entries.fill(key, lease, draft, draft.tags))
      this.#reportLoad(draft === undefined ? 'unstored' : stored ? 'stored' : 'fenced', durationMs)
      return stored
    } catch (error) {
      this.#storeFailed('fill', error)
      this.#reportLoad('unstored', durationMs)
      return false
    }
  }

  #miss(value: unknown, ttlMs: number, stored: boolean): Result {
    this.report('miss', undefined, false)
    return { value, status: 'miss', layer: undefined, ttlMs, collapsed: false, stored }
  }

  #reportLoad(outcome: CacheLoadMessage['outcome'], durationMs: number, error?: unknown): void {
    if (!loadChannel.hasSubscribers) return
    const message = { cache: this.#options.name, outcome, durationMs }
    loadChannel.publish(error === undefined ? message : { ...message, error })
  }

  #storeFailed(operation: 'load' | 'fill', error: unknown): void {
    if (storeErrorChannel.hasSubscribers)
      storeErrorChannel.publish({ cache: this.#options.name, operation, error })
  }
}

/** The load inside of which this code runs, if it runs inside of a loader. */
const within = new AsyncLocalStorage<Flight<unknown>>()

/** @throws {LoadCycle} the load that would be waited for waits for the one that would wait */
function assertNoCycle(outer: Flight<unknown>, joined: Flight<unknown>): void {
  const pathFrom = (flight: Flight<unknown>, seen: Set<Flight<unknown>>): string[] | undefined => {
    if (flight === outer) return [flight.key]
    seen.add(flight)
    for (const next of flight.waitsFor) {
      const path = seen.has(next) ? undefined : pathFrom(next, seen)
      if (path !== undefined) return [flight.key, ...path]
    }
    return undefined
  }
  const path = pathFrom(joined, new Set())
  if (path !== undefined) throw new LoadCycle([outer.key, ...path])
}

/** Tags known before the load; `undefined` if only the value tells. */
function namedTags(options: AnyOptions): readonly string[] | undefined {
  return typeof options.tags === 'function' ? undefined : (options.tags ?? [])
}

/** Whether an entry can be invalidated by all the tags that this call names. */
function carries({ tags }: Entry, named: NonNullable<AnyOptions['tags']>): boolean {
  return typeof named === 'function' || named.every((tag) => tags.some((stamp) => stamp.tag === tag))
}

/** Rejects when `signal` is aborted; the promise itself goes on. */
function untilAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
