import { setTimeout as delay } from 'node:timers/promises'
import type { CacheResult, Loader } from '../cache.js'
import type { Coordinator, Flight, Want } from '../coordination/coordinator.js'
import type { Entries, Lease } from '../entries/entries.js'
import { type Entry, isEarly } from '../entries/entry.js'
import { type Namespace, pathOf } from '../entries/namespace.js'
import type { ValueFormat } from '../entries/values.js'
import { LoaderTimeout } from '../errors.js'
import type { LoadOptions, ResolvedCacheOptions } from '../options.js'
import { type Drafted, draftOf, longestMs } from './drafts.js'
import { Limiter } from './limiter.js'
import { assertNoCycle, within } from './load-cycle.js'

type AnyLoader = Loader<unknown>
type AnyOptions = LoadOptions<unknown>
type Result = CacheResult<unknown>

/** A call, and the flight that it opened. */
interface Load extends Want {
  readonly loader: AnyLoader
  readonly options: AnyOptions
  readonly namespace: Namespace
  readonly flight: Flight<Result>
}

/** Values of functions: runs loaders where the coordinator says so, and stores what they give. */
export class Loads {
  readonly #coordinator: Coordinator
  readonly #entries: Entries
  readonly #format: ValueFormat
  readonly #options: ResolvedCacheOptions
  readonly #limiter: Limiter

  constructor(coordinator: Coordinator, format: ValueFormat, options: ResolvedCacheOptions) {
    this.#coordinator = coordinator
    this.#entries = coordinator.entries
    this.#format = format
    this.#options = options
    this.#limiter = new Limiter(options.maxConcurrentLoads, options.maxQueuedLoads)
  }

  /** A copy in this process that may be served now; starts a load in the background where it is due. */
  local(key: string, loader: AnyLoader, options: AnyOptions, namespace: Namespace): Entry | undefined {
    const nowMs = performance.now()
    const entry = this.#entries.here(key, nowMs)
    if (entry === undefined || nowMs >= entry.staleUntil) return undefined
    if (options.tags !== undefined && !carries(entry, options.tags)) return undefined
    const isDue = nowMs >= entry.freshUntil || isEarly(entry, nowMs, this.#options.earlyRefresh)
    if (isDue && !this.#coordinator.isBusy(key)) {
      this.#background(
        this.#start(key, loader, options, namespace, (load) => this.#reload(load, entry)).result,
      )
    }
    return entry
  }

  hit(entry: Entry, layer: 'l1' | 'l2'): Result {
    const ttlMs = entry.freshUntil - performance.now()
    const status = ttlMs > 0 ? 'hit' : 'stale'
    this.#coordinator.reports.read(status, layer, false)
    const value = this.#format.give(entry.kind, entry.value)
    return { value, status, layer, ttlMs, collapsed: false, stored: true }
  }

  /**
   * From the store, or by the loader.
   *
   * @param isReadable  false: what the store has under the key was deleted, and the store does not know it yet
   */
  async load(
    key: string,
    loader: AnyLoader,
    options: AnyOptions,
    namespace: Namespace,
    isReadable: boolean,
  ): Promise<Result> {
    const { signal } = options
    signal?.throwIfAborted()
    const outer = within.getStore()
    const joined = this.#coordinator.join<Result>(key)
    if (outer !== undefined && joined !== undefined) assertNoCycle(outer, joined)
    const begin = (load: Load): Promise<Result> =>
      isReadable ? this.#run(load) : this.#lead(load, undefined, undefined)
    const flight = joined ?? this.#start(key, loader, options, namespace, begin)
    outer?.waitsFor.add(flight)
    const result = await (signal === undefined ? flight.result : untilAborted(flight.result, signal)).finally(
      () => outer?.waitsFor.delete(flight),
    )
    if (joined === undefined) return result
    this.#coordinator.reports.read(result.status, result.layer, true)
    return { ...result, value: this.#format.share(result.value), collapsed: true }
  }

  #start(
    key: string,
    loader: AnyLoader,
    options: AnyOptions,
    namespace: Namespace,
    begin: (load: Load) => Promise<Result>,
  ): Flight<Result> {
    const tags = typeof options.tags === 'function' ? undefined : [...namespace.tags, ...(options.tags ?? [])]
    const tagLifetimeMs = longestMs(options, this.#options)
    return this.#coordinator.start(key, tags, (flight) =>
      begin({
        key,
        tags: tags ?? namespace.tags,
        tagLifetimeMs,
        accepts,
        loader,
        options,
        namespace,
        flight,
      }),
    )
  }

  async #run(load: Load): Promise<Result> {
    const turn = await this.#coordinator.acquire(load)
    if (turn.kind === 'load') return this.#leadOrStale(load, turn.lease, turn.stale)
    const { entry, lease, isDue } = turn
    if (lease !== undefined) this.#background(this.#lead(load, lease, entry))
    else if (isDue) this.#background(this.#reload(load, entry))
    return this.hit(entry, turn.layer)
  }

  /** Loads anew, unless somebody in the fleet already does. Others may have joined: they get what a failure leaves them. */
  async #reload(load: Load, stale: Entry): Promise<Result> {
    const found = await this.#coordinator.look(load, stale.id)
    const entry = found?.entry ?? stale
    return found?.lease === undefined ? this.hit(entry, 'l2') : this.#leadOrStale(load, found.lease, entry)
  }

  /** A failure has been reported on `scale:cache:load`; the value that is there stays until it is too old. */
  #background(load: Promise<Result>): void {
    load.catch(() => {})
  }

  async #leadOrStale(load: Load, lease: Lease | undefined, stale: Entry | undefined): Promise<Result> {
    const leading = this.#lead(load, lease, stale)
    const softMs = this.#options.loaderSoftTimeoutMs
    if (stale === undefined || performance.now() >= stale.errorUntil) return leading
    const fallback = (): Result => this.hit(stale, 'l2')
    if (softMs === undefined) return leading.catch(fallback)
    this.#background(leading)
    return Promise.race([leading.catch(fallback), delay(softMs, undefined, { ref: false }).then(fallback)])
  }

  /** Loads, and stores the value if there is a lease, and it still stands. */
  async #lead(load: Load, lease: Lease | undefined, stale: Entry | undefined): Promise<Result> {
    const startedAt = performance.now()
    const stopRenewing = this.#coordinator.hold(load.key, lease)
    try {
      const value = await this.#call(load, stale)
      const durationMs = performance.now() - startedAt
      const drafted = await draftOf(value, load.options, durationMs, this.#format, this.#options)
      const filling = this.#fill(load, lease, drafted, durationMs)
      const isWritten = lease !== undefined && drafted.draft !== undefined
      const stored = this.#options.writes === 'through' ? await filling : isWritten
      this.#coordinator.reports.read('miss', undefined, false)
      const ttlMs = drafted.draft?.ttlMs ?? 0
      return { value: drafted.value, status: 'miss', layer: undefined, ttlMs, collapsed: false, stored }
    } catch (error) {
      this.#coordinator.reports.load('failed', performance.now() - startedAt, error)
      await this.#coordinator.release(load.key, lease)
      throw error
    } finally {
      stopRenewing()
    }
  }

  #call({ key, loader, flight }: Load, stale: Entry | undefined): Promise<unknown> {
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
        const context = { key: pathOf(key)?.[1] ?? key, signal: abort.signal, stale: previous }
        return await Promise.race([within.run(flight, async () => loader(context)), timeout])
      } finally {
        clearTimeout(timer)
      }
    }
    // A load inside of a load has the slot of the outer one: to wait for another might be to wait for ever.
    return within.getStore() === undefined ? this.#limiter.run(run) : run()
  }

  async #fill(
    { key, namespace }: Load,
    lease: Lease | undefined,
    { draft }: Drafted,
    durationMs: number,
  ): Promise<boolean> {
    try {
      if (lease !== undefined && draft === undefined) await this.#entries.discard(key, lease)
      const isWritten = lease !== undefined && draft !== undefined
      const stored =
        isWritten && (await this.#entries.fill(key, lease, draft, [...namespace.tags, ...draft.tags]))
      this.#coordinator.reports.load(!isWritten ? 'unstored' : stored ? 'stored' : 'fenced', durationMs)
      return stored
    } catch (error) {
      this.#coordinator.reports.storeError('fill', error)
      this.#coordinator.reports.load('unstored', durationMs)
      return false
    }
  }
}

function accepts(entry: Entry, nowMs: number): boolean {
  return nowMs < entry.staleUntil
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
