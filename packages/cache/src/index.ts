export { createCache } from './cache.js'
export type { Cache, CacheEntry, CacheNamespace, NewEntry, WrapOptions } from './cache-interface.js'
export { type CacheOutcome, formatCacheStatus } from './cache-status.js'
export {
  type CacheCorruptMessage,
  type CacheInvalidationMessage,
  type CacheLoadMessage,
  type CacheReadMessage,
  type CacheStoreErrorMessage,
  corruptChannel,
  invalidationChannel,
  loadChannel,
  readChannel,
  storeErrorChannel,
} from './channels.js'
export { type Codec, jsonCodec } from './entries/codec.js'
export {
  InvalidationUnacknowledged,
  InvalidCacheKey,
  InvalidPartition,
  LoadCycle,
  LoaderTimeout,
  LoadsOverloaded,
} from './errors.js'
export { type CacheExplanation, explainCache } from './http/cache-status.js'
export { type HttpCacheOptions, httpCacheDefaults } from './http/options.js'
export type { CacheResult, LoadContext, Loader } from './loads/loads.js'
export { type CacheOptions, cacheDefaults, type LoadOptions, type SetOptions } from './options.js'
