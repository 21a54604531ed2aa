import {
  assertMemoryStoreAllowed,
  boolean,
  durationMs,
  func,
  integer,
  number,
  type OptionCheck,
  type OptionChecks,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
  string,
} from '@scale/core'
import { keyPrefix, type RedisClient, redisClient } from '@scale/redis'
import { type Codec, jsonCodec } from './entries/codec.js'

/** Longest lifetime: a year. */
const MAX_MS = 366 * 86_400_000

/** Options of `createCache`. */
export interface CacheOptions {
  /** An ioredis client. Without it entries stay in this process. Default none */
  redis?: RedisClient
  /** Beginning of all keys, to set apps on one Redis apart. Default `scale` */
  prefix?: string
  /** Names this cache in channel messages, and so in metrics. Default `default` */
  name?: string
  /** For how long a value is fresh, in ms. Default 60,000 */
  ttlMs?: number
  /** For how long after that a value is still served while it is loaded anew, in ms. Default 0 */
  staleWhileRevalidateMs?: number
  /** For how long after that a value is served when its loader fails, in ms. Default 0 */
  staleIfErrorMs?: number
  /** For how long `null` and `undefined` are fresh, in ms; 0 does not store them. Default: `ttlMs` */
  negativeTtlMs?: number
  /** Lifetimes are shortened by a random part of up to this ratio, so that they do not end together. Default 0.05 */
  jitterRatio?: number
  /**
   * Eagerness of early loads (XFetch β): the costlier a value and the nearer its end, the likelier a read loads it
   * anew in the background. 0 switches it off. Default 1
   */
  earlyRefresh?: number
  /** Memory for values in this process, in bytes; 0 keeps none. Default 67,108,864 (64 MiB) */
  maxBytes?: number
  /** Longest stay of a value in this process, in ms. Default: as long as it is fresh */
  l1TtlMs?: number
  /** Largest value that is stored, in bytes. Default 1,048,576 (1 MiB) */
  maxValueBytes?: number
  /** Values of more bytes than this are compressed in Redis. Default: none */
  compressAboveBytes?: number
  /** Turns values into bytes. Default: JSON */
  codec?: Codec
  /**
   * What a value from the cache is: `freeze` gives every caller one deeply frozen object, `copy` each one its own,
   * decoded anew. Default `freeze`
   */
  isolation?: 'freeze' | 'copy'
  /** A miss returns after its value is stored (`through`), or at once (`behind`). Default `through` */
  writes?: 'through' | 'behind'
  /** Longest wait for Redis in one operation, in ms. Default: the guard's, 100 */
  deadlineMs?: number
  /** A process that loads and is silent for this long is replaced, in ms. Default 3,000 */
  leaseMs?: number
  /** Longest wait for a load of another process, in ms; then this one loads by itself. Default 10,000 */
  waitMs?: number
  /**
   * A loader that takes longer has failed; its signal is aborted. A handler behind `cache.http` is replaced by the next
   * request's, and ended if it runs in the background, in ms. Default 30,000
   */
  loaderTimeoutMs?: number
  /** A loader that takes longer is not waited for if there is a stale value within `staleIfErrorMs`. Default: none */
  loaderSoftTimeoutMs?: number
  /** Loaders that run at the same time in this process. Default 256 */
  maxConcurrentLoads?: number
  /** Loads that wait for their turn; more fail with status 503. Default 10,000 */
  maxQueuedLoads?: number
  /**
   * Longest time for which this process may miss an invalidation that Redis has acknowledged, in ms: δ. After it
   * without a sign of life from Redis, nothing in process is trusted. Default 1,000
   */
  livenessMs?: number
  /** For how much longer values in process are served while Redis is away, in ms. It adds to δ then. Default 0 */
  outageGraceMs?: number
  /**
   * What becomes of values that a replica holds when it takes over, or a server when it starts: it may have lost the
   * last invalidations. `reload` loads each anew when it is asked for; `keep` trusts them for their lifetime. All
   * processes must say the same. Default `reload`
   */
  onFailover?: 'reload' | 'keep'
  /** Says that one process is all there is, where that looks unlikely. Default false */
  allowMemoryStore?: boolean
}

type WithoutDefault =
  | 'redis'
  | 'negativeTtlMs'
  | 'l1TtlMs'
  | 'compressAboveBytes'
  | 'deadlineMs'
  | 'loaderSoftTimeoutMs'

/** The defaults of {@link CacheOptions}. */
export const cacheDefaults: Readonly<Required<Omit<CacheOptions, WithoutDefault>>> = Object.freeze({
  prefix: 'scale',
  name: 'default',
  ttlMs: 60_000,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  jitterRatio: 0.05,
  earlyRefresh: 1,
  maxBytes: 64 * 1_048_576,
  maxValueBytes: 1_048_576,
  codec: jsonCodec,
  isolation: 'freeze',
  writes: 'through',
  leaseMs: 3_000,
  waitMs: 10_000,
  loaderTimeoutMs: 30_000,
  maxConcurrentLoads: 256,
  maxQueuedLoads: 10_000,
  livenessMs: 1_000,
  outageGraceMs: 0,
  onFailover: 'reload',
  allowMemoryStore: false,
})

const codecCheck: OptionCheck = (value) => {
  const codec = value as Partial<Codec> | null
  const isCodec =
    typeof codec === 'object' &&
    codec !== null &&
    string(1, 64)(codec.name) === undefined &&
    func(codec.encode) === undefined &&
    func(codec.decode) === undefined
  return isCodec ? undefined : 'an object with `name`, `encode` and `decode`'
}

const checks: OptionChecks<CacheOptions> = {
  redis: redisClient,
  prefix: keyPrefix,
  name: (value) =>
    typeof value === 'string' && /^[\w.-]{1,64}$/.test(value)
      ? undefined
      : '1 to 64 letters, digits, dots, underscores or hyphens',
  ttlMs: durationMs(1, MAX_MS),
  staleWhileRevalidateMs: durationMs(0, MAX_MS),
  staleIfErrorMs: durationMs(0, MAX_MS),
  negativeTtlMs: durationMs(0, MAX_MS),
  jitterRatio: number(0, 0.5),
  earlyRefresh: number(0, 100),
  maxBytes: integer(0),
  l1TtlMs: durationMs(1, MAX_MS),
  maxValueBytes: integer(1, 512 * 1_048_576),
  compressAboveBytes: integer(0),
  codec: codecCheck,
  isolation: oneOf('freeze', 'copy'),
  writes: oneOf('through', 'behind'),
  deadlineMs: durationMs(1, 60_000),
  leaseMs: durationMs(50, 600_000),
  waitMs: durationMs(1, 600_000),
  loaderTimeoutMs: durationMs(1),
  loaderSoftTimeoutMs: durationMs(1),
  maxConcurrentLoads: integer(1, 100_000),
  maxQueuedLoads: integer(0),
  livenessMs: durationMs(100, 60_000),
  outageGraceMs: durationMs(0, 3_600_000),
  onFailover: oneOf('reload', 'keep'),
  allowMemoryStore: boolean,
}

export type ResolvedCacheOptions = Readonly<ResolvedOptions<CacheOptions, typeof cacheDefaults>>

export function resolveCacheOptions(options: CacheOptions | undefined): ResolvedCacheOptions {
  const resolved = resolveOptions('createCache', options, { checks, defaults: cacheDefaults })
  if (resolved.redis === undefined) assertMemoryStoreAllowed('createCache', resolved.allowMemoryStore)
  return resolved
}

/** What `set` may say. Everything else comes from the cache's options. */
export interface SetOptions {
  /** For how long the value is fresh, in ms. Default: the cache's */
  ttlMs?: number
  /** Names by which the value can be invalidated, up to 64. Default none */
  tags?: readonly string[]
  /** For how long after that it is still served while it is loaded anew, in ms. Default: the cache's */
  staleWhileRevalidateMs?: number
  /** For how long after that it is served when loading fails, in ms. Default: the cache's */
  staleIfErrorMs?: number
  /** Longest stay of this value in a process, in ms. Default: the cache's */
  l1TtlMs?: number
}

/** What a call that may load may say. */
export interface LoadOptions<Value> extends Omit<SetOptions, 'ttlMs' | 'tags'> {
  /**
   * For how long the value is fresh, in ms; 0 or less does not store it. A function is asked once it is
   * loaded. Default: the cache's
   */
  ttlMs?: number | ((value: Value) => number)
  /** Names by which the value can be invalidated, up to 64. A function is asked once it is loaded. Default none */
  tags?: readonly string[] | ((value: Value) => readonly string[])
  /** Ends this caller's wait, and nobody else's: the load goes on. Default none */
  signal?: AbortSignal
}
