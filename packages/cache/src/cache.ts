import type { IncomingMessage } from 'node:http'
import type { Middleware } from '@scale/core'
import { type InvalidationChannel, invalidationChannel as redisInvalidations } from '@scale/redis'
import type { Cache, CacheEntry, WrapOptions } from './cache-interface.js'
import { corruptChannel, invalidationChannel } from './channels.js'
import { Entries } from './entries/entries.js'
import type { Entry } from './entries/entry.js'
import type { Frame } from './entries/frame.js'
import { braced, cacheKeys } from './entries/key-names.js'
import { type Coherence, LocalCopies } from './entries/local-copies.js'
import { assertKey, assertTag, assertTags } from './entries/names.js'
import { ValueFormat } from './entries/values.js'
import { httpCache } from './http/middleware.js'
import { type HttpCacheOptions, resolveHttpOptions } from './http/options.js'
import { decodeResponse } from './http/stored-response.js'
import { Coordinator } from './loads/coordinator.js'
import { type Invalidation, Invalidations } from './loads/invalidations.js'
import { type CacheResult, type Loader, Loads } from './loads/loads.js'
import {
  type CacheOptions,
  type LoadOptions,
  type ResolvedCacheOptions,
  resolveCacheOptions,
  type SetOptions,
} from './options.js'
import type { CacheStore } from './store.js'
import { MemoryStore } from './stores/memory.js'
import { RedisStore } from './stores/redis.js'

const HOUR_MS = 3_600_000

/**
 * Makes a cache: values in this process and in Redis, loaded once, never older than an acknowledged invalidation by
 * more than `livenessMs`.
 *
 * @throws {InvalidOption} an option is wrong
 * @throws {MemoryStoreRefused} no `redis` where several processes are likely
 */
export function createCache(options?: CacheOptions): Cache {
  return new FunctionCache(resolveCacheOptions(options))
}

const ALWAYS_TRUSTED: Coherence = { trusted: () => true, silentForMs: () => 0 }
const NO_OPTIONS = Object.freeze({})

class FunctionCache implements Cache {
  readonly #options: ResolvedCacheOptions
  readonly #local: LocalCopies
  readonly #entries: Entries
  readonly #format: ValueFormat
  readonly #coordinator: Coordinator
  readonly #loads: Loads
  readonly #invalidations: Invalidations
  readonly #stopWatching: () => void

  constructor(options: ResolvedCacheOptions) {
    this.#options = options
    const { name, redis, maxBytes, codec, isolation, compressAboveBytes, maxValueBytes } = options
    const onCorrupt = (reason: 'frame' | 'codec' | 'body', error?: unknown): void => {
      if (corruptChannel.hasSubscribers) corruptChannel.publish({ cache: name, reason, error })
    }
    const channel = redis === undefined ? undefined : redisInvalidations(redis)
    this.#local = new LocalCopies(
      maxBytes,
      channel === undefined ? ALWAYS_TRUSTED : coherence(channel, options),
    )
    this.#format = new ValueFormat({ codec, isolation, compressAboveBytes, maxValueBytes, onCorrupt })
    const store: CacheStore =
      redis === undefined ? new MemoryStore(maxBytes) : new RedisStore(redis, options.prefix, options)
    this.#entries = new Entries(store, this.#local, {
      decoder: { decode: (frame) => decode(frame, this.#format, onCorrupt) },
      leaseMs: options.leaseMs,
      onCorrupt,
      isPending: (tag) => this.#invalidations.holdsTag(tag),
    })
    this.#coordinator = new Coordinator(this.#entries, options)
    this.#loads = new Loads(this.#coordinator, this.#format, options)
    this.#invalidations = new Invalidations(store, Math.max(HOUR_MS, 2 * options.loaderTimeoutMs), (error) =>
      this.#coordinator.failed('invalidate', error),
    )
    this.#stopWatching = channel !== undefined && maxBytes > 0 ? this.#watch(channel) : () => {}
  }

  get bytes(): number {
    return this.#local.bytes
  }

  getOrSet<Value>(key: string, loader: Loader<Value>, options?: LoadOptions<Value>): Promise<Value> {
    const wanted = (options ?? NO_OPTIONS) as LoadOptions<unknown>
    const load = loader as Loader<unknown>
    const entry = this.#loads.local(key, load, wanted)
    if (entry !== undefined) {
      this.#loads.report(performance.now() < entry.freshUntil ? 'hit' : 'stale', 'l1', false)
      return Promise.resolve(this.#format.give(entry.kind, entry.value) as Value)
    }
    return this.#load(key, load, wanted).then((result) => result.value as Value)
  }

  async getOrSetEntry<Value>(
    key: string,
    loader: Loader<Value>,
    options?: LoadOptions<Value>,
  ): Promise<CacheResult<Value>> {
    const wanted = (options ?? NO_OPTIONS) as LoadOptions<unknown>
    const load = loader as Loader<unknown>
    const entry = this.#loads.local(key, load, wanted)
    const result = entry === undefined ? await this.#load(key, load, wanted) : this.#loads.hit(entry, 'l1')
    return result as CacheResult<Value>
  }

  async get<Value = unknown>(key: string): Promise<Value | undefined> {
    return (await this.getEntry<Value>(key))?.value
  }

  async getEntry<Value = unknown>(key: string): Promise<CacheEntry<Value> | undefined> {
    assertKey(key)
    const nowMs = performance.now()
    const copy = this.#entries.here(key, nowMs)
    if (copy && nowMs < copy.staleUntil) {
      return this.#loads.hit(copy, 'l1') as CacheEntry<Value>
    }
    const entry = await this.#read(key)
    if (entry === undefined || performance.now() >= entry.staleUntil) {
      this.#loads.report('miss', undefined, false)
      return undefined
    }
    return this.#loads.hit(entry, 'l2') as CacheEntry<Value>
  }

  async set(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    assertKey(key)
    const tags = [...new Set(options.tags ?? [])]
    assertTags(tags)
    const encoded = await this.#format.encode(value)
    if (encoded.isTooLarge) {
      await this.delete(key)
      return false
    }
    this.#coordinator.overtakeKey(key)
    try {
      const draft = {
        ...encoded,
        ttlMs: options.ttlMs ?? this.#options.ttlMs,
        staleWhileRevalidateMs: options.staleWhileRevalidateMs ?? this.#options.staleWhileRevalidateMs,
        staleIfErrorMs: options.staleIfErrorMs ?? this.#options.staleIfErrorMs,
        l1TtlMs: options.l1TtlMs ?? this.#options.l1TtlMs ?? 0,
        costMs: 0,
      }
      await this.#entries.put(key, draft, tags)
      this.#coordinator.overtakeFlight(key)
      return true
    } catch (error) {
      this.#coordinator.failed('put', error)
      await this.delete(key)
      return false
    }
  }

  delete(key: string): Promise<boolean> {
    assertKey(key)
    return this.#invalidate({ kind: 'key', key }, 1)
  }

  async invalidateTags(tags: readonly string[], options: { soft?: boolean } = {}): Promise<boolean> {
    const unique = [...new Set(tags)]
    for (const tag of unique) assertTag(tag)
    if (unique.length === 0) return true
    return this.#invalidate({ kind: 'tags', tags: unique, soft: options.soft ?? false }, unique.length)
  }

  wrap<Args extends unknown[], Value>(
    fn: (...args: Args) => Value | Promise<Value>,
    { key, tags, ...options }: WrapOptions<Args, Value>,
  ): (...args: Args) => Promise<Value> {
    return (...args) => {
      const tagged = tags === undefined ? options : { ...options, tags: tags(...args) }
      return this.getOrSet(key(...args), () => fn(...args), tagged)
    }
  }

  http<Request extends IncomingMessage = IncomingMessage>(
    options?: HttpCacheOptions<Request>,
  ): Middleware<IncomingMessage> {
    const { ttlMs, staleWhileRevalidateMs, staleIfErrorMs, maxValueBytes } = this.#options
    const resolved = resolveHttpOptions(options, {
      ttlMs,
      staleWhileRevalidateMs,
      staleIfErrorMs,
      maxBodyBytes: maxValueBytes,
    })
    return httpCache(resolved, {
      options: this.#options,
      coordinator: this.#coordinator,
      invalidateTags: (tags) => this.#invalidate({ kind: 'tags', tags, soft: false }, tags.length),
    })
  }

  async close(): Promise<boolean> {
    this.#stopWatching()
    const acknowledged = await this.#invalidations.close()
    this.#local.invalidateAll()
    return acknowledged
  }

  /** What other processes invalidate, and this one too. */
  #watch(channel: InvalidationChannel): () => void {
    const { values, tags } = cacheKeys(this.#options.prefix)
    return channel.watch({
      prefixes: [values, tags],
      livenessMs: this.#options.livenessMs,
      onKey: (name) => {
        if (name.startsWith(tags)) {
          this.#coordinator.overtakeTag(name.slice(tags.length))
        } else {
          const key = this.#local.keyOf(name.slice(values.length))
          if (key !== undefined) this.#coordinator.overtakeKey(key)
        }
      },
      onLoss: () => this.#coordinator.overtakeAll(),
    })
  }

  async #load(
    key: string,
    loader: Loader<unknown>,
    options: LoadOptions<unknown>,
  ): Promise<CacheResult<unknown>> {
    assertKey(key)
    if (options.tags !== undefined && typeof options.tags !== 'function') assertTags(options.tags)
    const isReadable = !this.#invalidations.holds(key) || (await this.#invalidations.settle(key))
    return this.#loads.load(key, loader, options, isReadable)
  }

  async #read(key: string): Promise<Entry | undefined> {
    if (this.#invalidations.holds(key) && !(await this.#invalidations.settle(key))) return undefined
    if (!this.#entries.store.available(key)) return undefined
    try {
      return await this.#entries.read(key)
    } catch (error) {
      this.#coordinator.failed('read', error)
      return undefined
    }
  }

  /** Before, so that this process sees it at once; and after, because a read may have come in between. */
  async #invalidate(invalidation: Invalidation, count: number): Promise<boolean> {
    this.#overtake(invalidation)
    const acknowledged = await this.#invalidations.send(invalidation)
    this.#overtake(invalidation)
    if (invalidationChannel.hasSubscribers) {
      const kind = invalidation.kind === 'tags' && invalidation.soft ? 'tags-soft' : invalidation.kind
      invalidationChannel.publish({ cache: this.#options.name, kind, count, acknowledged })
    }
    return acknowledged
  }

  #overtake(invalidation: Invalidation): void {
    if (invalidation.kind === 'key') this.#coordinator.overtakeKey(invalidation.key)
    else for (const tag of invalidation.tags) this.#coordinator.overtakeTag(braced(tag))
  }
}

/** Values of functions, or responses: the frame says which. */
async function decode(
  frame: Frame,
  format: ValueFormat,
  onCorrupt: (reason: 'body', error: unknown) => void,
): Promise<{ value: unknown; bytes: number } | undefined> {
  try {
    if (frame.kind === 'response') return decodeResponse(frame)
    if (frame.kind === 'vary' || frame.kind === 'uncacheable') {
      return { value: JSON.parse(frame.body.toString()), bytes: frame.body.length * 3 }
    }
  } catch (error) {
    onCorrupt('body', error)
    return undefined
  }
  return format.decode(frame)
}

function coherence(
  channel: InvalidationChannel,
  { livenessMs }: Pick<ResolvedCacheOptions, 'livenessMs'>,
): Coherence {
  return {
    trusted: (nowMs) => channel.silentForMs(nowMs) < livenessMs,
    silentForMs: (nowMs) => Math.max(0, channel.silentForMs(nowMs) - livenessMs),
  }
}
