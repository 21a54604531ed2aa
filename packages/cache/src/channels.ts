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

/** Caches of this process that were said to be without Redis. */
const warned = new Set<string>()

/** What a cache says of itself on its channels; no work where nobody listens. */
export class Reports {
  readonly #cache: string

  /** @param cache  its name */
  constructor(cache: string) {
    this.#cache = cache
  }

  read(outcome: CacheReadMessage['outcome'], layer: CacheReadMessage['layer'], collapsed: boolean): void {
    if (readChannel.hasSubscribers) readChannel.publish({ cache: this.#cache, outcome, layer, collapsed })
  }

  /** @param error  what the loader threw */
  load(outcome: CacheLoadMessage['outcome'], durationMs: number, ...error: unknown[]): void {
    if (!loadChannel.hasSubscribers) return
    const message = { cache: this.#cache, outcome, durationMs }
    loadChannel.publish(error.length === 0 ? message : { ...message, error: error[0] })
  }

  corrupt(reason: CacheCorruptMessage['reason'], error?: unknown): void {
    if (corruptChannel.hasSubscribers) corruptChannel.publish({ cache: this.#cache, reason, error })
  }

  /** The store cannot be asked: nothing was tried, so that nothing failed. */
  storeAway(): void {
    this.#warnOff('it is not connected')
  }

  storeError(operation: CacheStoreErrorMessage['operation'], error: unknown): void {
    this.#warnOff(error instanceof Error ? error.message : 'unknown error')
    if (storeErrorChannel.hasSubscribers) storeErrorChannel.publish({ cache: this.#cache, operation, error })
  }

  #warnOff(why: string): void {
    if (warned.has(this.#cache)) return
    warned.add(this.#cache)
    process.emitWarning(
      `The cache \`${this.#cache}\` has no answer from Redis (${why}): until it has, what is not in this process is loaded anew each ` +
        'time. See docs/troubleshooting.md. Said once; further ones are on the diagnostics channel scale:cache:store-error.',
      { code: 'SCALE_CACHE_STORE' },
    )
  }
}
