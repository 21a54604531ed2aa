export type {
  Cache,
  CacheEntry,
  CacheNamespace,
  CacheResult,
  LoadContext,
  Loader,
  NewEntry,
  WrapOptions,
} from './cache.js'
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
export { createCache } from './functions/function-cache.js'
export {
  type CacheExplanation,
  type CacheOutcome,
  explainCache,
  formatCacheStatus,
} from './http/cache-status.js'
export { type HttpCacheOptions, httpCacheDefaults } from './middleware/options.js'
export { type CacheOptions, cacheDefaults, type LoadOptions, type SetOptions } from './options.js'
