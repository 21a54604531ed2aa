import { type Channel, channel } from '@scale/core'

/** A value was asked for. */
export interface CacheReadMessage {
  /** The cache's `name` option. */
  cache: string
  outcome: 'hit' | 'stale' | 'miss'
  /** Where it was found; `undefined` for a miss. */
  layer: 'l1' | 'l2' | undefined
  /** It waited for a load that another call had begun. */
  collapsed: boolean
}

/** A loader has ended. */
export interface CacheLoadMessage {
  cache: string
  /**
   * `stored`; `fenced`: the value was invalidated while it was loaded, so it was returned and not stored; `unstored`:
   * it could not be (store away, too large, no lease, lifetime 0); `failed`: the loader threw or timed out
   */
  outcome: 'stored' | 'fenced' | 'unstored' | 'failed'
  durationMs: number
  /** What the loader threw. */
  error?: unknown
}

/** An entry in the store is not readable; it counted as a miss. */
export interface CacheCorruptMessage {
  cache: string
  reason: 'frame' | 'codec' | 'body'
  error?: unknown
}

/** The store did not answer. The request went on without it. */
export interface CacheStoreErrorMessage {
  cache: string
  operation: 'load' | 'read' | 'fill' | 'put' | 'invalidate'
  error: unknown
}

/** Something was invalidated by this process. */
export interface CacheInvalidationMessage {
  cache: string
  kind: 'key' | 'tags' | 'tags-soft'
  /** How many keys or tags. */
  count: number
  /** False: Redis did not answer; it is repeated until it does. */
  acknowledged: boolean
}

/** `scale:cache:read` */
export const readChannel: Channel<CacheReadMessage> = channel('scale:cache:read')
/** `scale:cache:load` */
export const loadChannel: Channel<CacheLoadMessage> = channel('scale:cache:load')
/** `scale:cache:corrupt` */
export const corruptChannel: Channel<CacheCorruptMessage> = channel('scale:cache:corrupt')
/** `scale:cache:store-error` */
export const storeErrorChannel: Channel<CacheStoreErrorMessage> = channel('scale:cache:store-error')
/** `scale:cache:invalidation` */
export const invalidationChannel: Channel<CacheInvalidationMessage> = channel('scale:cache:invalidation')
