/** How a value was come by. */
export interface CacheOutcome {
  /** `hit`: fresh from the cache. `stale`: from the cache, past its freshness. `miss`: the loader ran. */
  readonly status: 'hit' | 'stale' | 'miss'
  /** Where it was found: in this process or in the store; `undefined` for a miss. */
  readonly layer: 'l1' | 'l2' | undefined
  /** For how much longer it is fresh, in ms; negative if stale. */
  readonly ttlMs: number
  /** It waited for a load that another call had begun. */
  readonly collapsed: boolean
  /** A miss: the value was stored. */
  readonly stored: boolean
}

/**
 * One member of a `Cache-Status` field, for a response that was made from a cached value:
 * `scale; hit; ttl=376; detail=l1`, `scale; hit; ttl=-12; detail=l2`, `scale; fwd=uri-miss; stored`.
 *
 * @param cache  names the cache: a token, such as `scale`
 * @see RFC 9211 §2
 */
export function formatCacheStatus(outcome: CacheOutcome, cache: string = 'scale'): string {
  if (outcome.status !== 'miss') {
    return `${cache}; hit; ttl=${Math.floor(outcome.ttlMs / 1_000)}; detail=${outcome.layer}`
  }
  const stored = outcome.stored ? '; stored' : ''
  const collapsed = outcome.collapsed ? '; collapsed' : ''
  return `${cache}; fwd=uri-miss${stored}${collapsed}`
}
