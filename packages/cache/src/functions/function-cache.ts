import type { IncomingMessage } from 'node:http'
import type { Middleware } from '@scale/core'
import type {
  Cache,
  CacheEntry,
  CacheNamespace,
  CacheResult,
  Loader,
  NewEntry,
  WrapOptions,
} from '../cache.js'
import type { Entry } from '../entries/entry.js'
import { assertKey, assertNamespace, assertTag, assertTags, isKey } from '../entries/names.js'
import { type Namespace, ROOT, within } from '../entries/namespace.js'
import { InvalidCacheKey } from '../errors.js'
import { httpCache } from '../middleware/middleware.js'
import { type HttpCacheOptions, resolveHttpOptions } from '../middleware/options.js'
import { type CacheOptions, type LoadOptions, resolveCacheOptions, type SetOptions } from '../options.js'
import { BATCH, CacheParts } from './cache-parts.js'
import { windowsOf } from './drafts.js'

/**
 * Makes a cache: values in this process and in Redis, loaded once, never older than an acknowledged invalidation by
 * more than `livenessMs`.
 *
 * @throws {InvalidOption} an option is wrong
 * @throws {MemoryStoreRefused} no `redis` where several processes are likely
 */
export function createCache(options?: CacheOptions): Cache {
  return new FunctionCache(new CacheParts(resolveCacheOptions(options)), ROOT)
}

const NO_OPTIONS = Object.freeze({})

class FunctionCache implements Cache {
  readonly #parts: CacheParts
  readonly #namespace: Namespace

  constructor(parts: CacheParts, namespace: Namespace) {
    this.#parts = parts
    this.#namespace = namespace
  }

  get bytes(): number {
    return this.#parts.local.bytes
  }

  getOrSet<Value>(key: string, loader: Loader<Value>, options?: LoadOptions<Value>): Promise<Value> {
    if (!isKey(key)) return Promise.reject(new InvalidCacheKey('key'))
    const { coordinator, loads, format } = this.#parts
    const name = this.#nameOf(key)
    const wanted = (options ?? NO_OPTIONS) as LoadOptions<unknown>
    const load = loader as Loader<unknown>
    const entry = loads.local(name, load, wanted, this.#namespace)
    if (entry !== undefined) {
      coordinator.reports.read(performance.now() < entry.freshUntil ? 'hit' : 'stale', 'l1', false)
      return Promise.resolve(format.give(entry.kind, entry.value) as Value)
    }
    return this.#load(name, load, wanted).then((result) => result.value as Value)
  }

  async getOrSetEntry<Value>(
    key: string,
    loader: Loader<Value>,
    options?: LoadOptions<Value>,
  ): Promise<CacheResult<Value>> {
    assertKey(key)
    const { loads } = this.#parts
    const name = this.#nameOf(key)
    const wanted = (options ?? NO_OPTIONS) as LoadOptions<unknown>
    const load = loader as Loader<unknown>
    const entry = loads.local(name, load, wanted, this.#namespace)
    const result = entry === undefined ? await this.#load(name, load, wanted) : loads.hit(entry, 'l1')
    return result as CacheResult<Value>
  }

  async get<Value = unknown>(key: string): Promise<Value | undefined> {
    return (await this.getEntry<Value>(key))?.value
  }

  async getEntry<Value = unknown>(key: string): Promise<CacheEntry<Value> | undefined> {
    return (await this.#find([key]))[0] as CacheEntry<Value> | undefined
  }

  async getMany<Value = unknown>(keys: readonly string[]): Promise<(Value | undefined)[]> {
    return (await this.#find(keys)).map((entry) => entry?.value as Value | undefined)
  }

  async has(key: string): Promise<boolean> {
    return (await this.getEntry(key)) !== undefined
  }

  async set(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    assertKey(key)
    const { coordinator, entries, format, options: given } = this.#parts
    const name = this.#nameOf(key)
    const tags = [...new Set(options.tags ?? [])]
    assertTags(tags)
    const encoded = await format.encode(value)
    if (encoded.isTooLarge) {
      await this.delete(key)
      return false
    }
    coordinator.overtakeKey(name)
    try {
      const draft = {
        ...encoded,
        ...windowsOf(options, given),
        ttlMs: options.ttlMs ?? given.ttlMs,
        costMs: 0,
      }
      await entries.put(name, draft, [...this.#namespace.tags, ...tags])
      coordinator.overtakeFlight(name)
      return true
    } catch (error) {
      coordinator.reports.storeError('put', error)
      await this.delete(key)
      return false
    }
  }

  setMany(list: readonly NewEntry[]): Promise<boolean> {
    for (const { key } of list) assertKey(key)
    return allOf(list, ({ key, value, ...options }) => this.set(key, value, options))
  }

  delete(key: string): Promise<boolean> {
    assertKey(key)
    return this.#parts.invalidate({ kind: 'key', key: this.#nameOf(key) })
  }

  deleteMany(keys: readonly string[]): Promise<boolean> {
    for (const key of keys) assertKey(key)
    return allOf([...new Set(keys)], (key) => this.delete(key))
  }

  async invalidateTags(tags: readonly string[], options: { soft?: boolean } = {}): Promise<boolean> {
    const unique = [...new Set(tags)]
    for (const tag of unique) assertTag(tag)
    if (unique.length === 0) return true
    return this.#parts.invalidate({ kind: 'tags', tags: unique, soft: options.soft ?? false })
  }

  namespace(name: string): CacheNamespace {
    assertNamespace(name)
    return new ClearableCache(this.#parts, within(this.#namespace, name))
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
    const { ttlMs, staleWhileRevalidateMs, staleIfErrorMs, maxValueBytes } = this.#parts.options
    const resolved = resolveHttpOptions(options, {
      ttlMs,
      staleWhileRevalidateMs,
      staleIfErrorMs,
      maxBodyBytes: maxValueBytes,
    })
    return httpCache(resolved, {
      options: this.#parts.options,
      coordinator: this.#parts.coordinator,
      namespace: this.#namespace,
      invalidateTags: (tags) => this.#parts.invalidate({ kind: 'tags', tags, soft: false }),
    })
  }

  close(): Promise<boolean> {
    return this.#parts.close()
  }

  #nameOf(key: string): string {
    const { prefix } = this.#namespace
    return prefix === '' ? key : prefix + key
  }

  async #load(
    name: string,
    loader: Loader<unknown>,
    options: LoadOptions<unknown>,
  ): Promise<CacheResult<unknown>> {
    if (options.tags !== undefined && typeof options.tags !== 'function') assertTags(options.tags)
    const { invalidations, loads } = this.#parts
    const isReadable = !invalidations.holds(name) || (await invalidations.settle(name))
    return loads.load(name, loader, options, this.#namespace, isReadable)
  }

  /** In this process, and what is not there in the store: in one trip, and a second one for tags. */
  async #find(keys: readonly string[]): Promise<(CacheEntry<unknown> | undefined)[]> {
    for (const key of keys) assertKey(key)
    const { coordinator, entries, loads } = this.#parts
    const names = keys.map((key) => this.#nameOf(key))
    const nowMs = performance.now()
    const copies = names.map((name) => entries.here(name, nowMs))
    const isHere = (copy: Entry | undefined): copy is Entry => copy !== undefined && nowMs < copy.staleUntil
    const missing = names.filter((_name, index) => !isHere(copies[index]))
    const read = missing.length === 0 ? undefined : await this.#parts.readable([...new Set(missing)])
    return names.map((name, index) => {
      const copy = copies[index]
      if (isHere(copy)) return loads.hit(copy, 'l1')
      const entry = read?.get(name)
      if (entry !== undefined && performance.now() < entry.staleUntil) return loads.hit(entry, 'l2')
      coordinator.reports.read('miss', undefined, false)
      return undefined
    })
  }
}

class ClearableCache extends FunctionCache implements CacheNamespace {
  readonly #clear: () => Promise<boolean>

  constructor(parts: CacheParts, namespace: Namespace) {
    super(parts, namespace)
    this.#clear = () => parts.invalidate({ kind: 'tags', tags: namespace.tags.slice(-1), soft: false })
  }

  clear(): Promise<boolean> {
    return this.#clear()
  }
}

/** Whether all went well; a few at a time, so that none of them holds up the event loop or the store. */
async function allOf<Item>(items: readonly Item[], run: (item: Item) => Promise<boolean>): Promise<boolean> {
  let well = true
  for (let i = 0; i < items.length; i += BATCH) {
    const done = await Promise.all(items.slice(i, i + BATCH).map(run))
    well &&= !done.includes(false)
  }
  return well
}
