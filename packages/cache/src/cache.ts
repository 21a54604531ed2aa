import type { IncomingMessage } from 'node:http'
import type { Middleware } from '@scale/core'
import type { CacheOutcome } from './http/cache-status.js'
import type { HttpCacheOptions } from './middleware/options.js'
import type { LoadOptions, SetOptions } from './options.js'

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

/** What a cached value was found to be. */
export type CacheEntry<Value> = CacheResult<Value>

/** Options of `wrap`. */
export interface WrapOptions<Args extends unknown[], Value> extends Omit<LoadOptions<Value>, 'tags'> {
  /** The key for these arguments: whatever the result depends on. */
  key: (...args: Args) => string
  /** Tags for these arguments. Default none */
  tags?: (...args: Args) => readonly string[]
}

/** One entry for `setMany`. */
export interface NewEntry extends SetOptions {
  readonly key: string
  readonly value: unknown
}

/** A cache for values of functions. Made by `createCache`. */
export interface Cache {
  /**
   * The value under `key`: from this process, from Redis, or from `loader`, which then runs once in the fleet.
   *
   * Redis slow or away is never an error: the loader runs. What comes back is what the codec returns, from the first
   * call on, and deeply frozen unless `isolation` is `'copy'`.
   *
   * @param key     1–1,024 characters; whatever the value depends on. Readable in Redis: no secret
   * @param loader  runs to its end whatever happens to its callers, who share its value and its failure
   * @throws what the loader throws, unless a stale value may be served; `LoaderTimeout`; `LoadsOverloaded`;
   *         `InvalidCacheKey`; the reason of `signal`
   */
  getOrSet<Value>(key: string, loader: Loader<Value>, options?: LoadOptions<Value>): Promise<Value>
  /** `getOrSet`, and how the value was come by: for `formatCacheStatus`, say. */
  getOrSetEntry<Value>(
    key: string,
    loader: Loader<Value>,
    options?: LoadOptions<Value>,
  ): Promise<CacheResult<Value>>
  /** The value under `key`, fresh or within `staleWhileRevalidateMs`; `undefined` if there is none, or Redis is away. */
  get<Value = unknown>(key: string): Promise<Value | undefined>
  /** As `get`, telling a stored `undefined` from none. */
  getEntry<Value = unknown>(key: string): Promise<CacheEntry<Value> | undefined>
  /**
   * As `get` for many keys at once: in one trip to Redis, in a Cluster one to each node, and a second one if they carry
   * tags. In chunks of 200.
   *
   * @returns values in the order of the keys; `undefined` where there is none
   */
  getMany<Value = unknown>(keys: readonly string[]): Promise<(Value | undefined)[]>
  /** Whether `get` would find something. It costs as much, and what it finds is then in this process. */
  has(key: string): Promise<boolean>
  /**
   * Stores a value, and fences off loads of the key that are under way.
   *
   * @returns false if it is not stored: too large, or Redis away. Then the old value is deleted as by `delete`
   */
  set(key: string, value: unknown, options?: SetOptions): Promise<boolean>
  /** As `set` for many. @returns false if one of them is not stored */
  setMany(entries: readonly NewEntry[]): Promise<boolean>
  /**
   * Deletes a value, and fences off loads of the key that are under way. Do it after the source has changed.
   *
   * @returns true once Redis has acknowledged it: this process sees it now, every other within `livenessMs`.
   *          False if Redis did not answer: it is repeated until it does
   */
  delete(key: string): Promise<boolean>
  /** As `delete` for many. @returns true once Redis has acknowledged all of them */
  deleteMany(keys: readonly string[]): Promise<boolean>
  /**
   * A part of this cache with keys of its own, which can be cleared by itself. Tags are those of the whole cache. Its
   * entries carry one tag more for each namespace that they lie in.
   *
   * @param name  1–64 letters, digits, `.`, `_` or `-`; the same name is the same namespace, in every process
   * @throws {InvalidCacheKey} it has other characters
   */
  namespace(name: string): CacheNamespace
  /**
   * Invalidates every value that carries one of the tags, and fences off loads under way. O(1) for each tag.
   *
   * @param options.soft  values go stale instead of being lost: they are served within `staleWhileRevalidateMs` while
   *                      they are loaded anew. Default false
   * @returns as `delete`
   */
  invalidateTags(tags: readonly string[], options?: { soft?: boolean }): Promise<boolean>
  /** A function that remembers its results. */
  wrap<Args extends unknown[], Value>(
    fn: (...args: Args) => Value | Promise<Value>,
    options: WrapOptions<Args, Value>,
  ): (...args: Args) => Promise<Value>
  /**
   * Middleware that stores responses and answers from them, as a shared cache by RFC 9111.
   *
   * Requests with credentials pass it by, unless `partition` says who shares their responses.
   *
   * @throws {InvalidOption} an option is wrong
   */
  http<Request extends IncomingMessage = IncomingMessage>(
    options?: HttpCacheOptions<Request>,
  ): Middleware<IncomingMessage>
  /** What values in this process take, in bytes, about. */
  readonly bytes: number
  /**
   * Stops timers and connections of its own; never the client that was passed in. Reads go on without copies.
   *
   * @returns false if an invalidation was not acknowledged by Redis before, nor within 2 s: other processes may serve
   *          what it was to end, for as long as that lives
   */
  close(): Promise<boolean>
}

/** A part of a cache. Made by `cache.namespace`. */
export interface CacheNamespace extends Cache {
  /**
   * Invalidates everything in this namespace, and in those inside of it, and fences off loads under way. O(1), whatever
   * it holds.
   *
   * @returns as `delete`
   */
  clear(): Promise<boolean>
}
