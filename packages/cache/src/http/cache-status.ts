import type { ServerResponse } from 'node:http'

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
  if (outcome.status !== 'miss') return `${cache}; ${statusMember.hit(outcome.ttlMs, outcome.layer!)}`
  const stored = outcome.stored ? '; stored' : ''
  const collapsed = outcome.collapsed ? '; collapsed' : ''
  return `${cache}; fwd=uri-miss${stored}${collapsed}`
}

/** Why a request went forward without being stored. */
export type ForwardKind = 'bypass' | 'method' | 'request' | 'uri-miss'

const seconds = (ttlMs: number): string => `ttl=${Math.floor(ttlMs / 1_000)}`

/** Members of `Cache-Status`, without the cache's name. */
export const statusMember = {
  /** @param detail  the layer; of a stale response why it is served */
  hit: (ttlMs: number, detail: string): string => `hit; ${seconds(ttlMs)}; detail=${detail}`,
  collapsed: (ttlMs: number): string => `fwd=uri-miss; collapsed; ${seconds(ttlMs)}`,
  revalidated: (ttlMs: number | undefined): string =>
    `fwd=stale; fwd-status=304${ttlMs === undefined ? '' : `; stored; ${seconds(ttlMs)}`}`,
  /** @param detail  why it was not stored; none if it was */
  miss: (forward: 'uri-miss' | 'vary-miss' | 'stale', detail: string | undefined): string =>
    detail === undefined ? `fwd=${forward}; stored` : `fwd=${forward}; detail=${detail}`,
  forward: (kind: ForwardKind, detail: string): string => `fwd=${kind}; detail=${detail}`,
}

/** What `cache.http` did with a request, and why. */
export interface CacheExplanation {
  /** `hit`, `stale`, `miss`, `revalidated`, `bypass`: as in `Cache-Status`. */
  readonly decision: 'hit' | 'stale' | 'miss' | 'revalidated' | 'bypass'
  /** A word for it: `credentials`, `set-cookie`, `s-maxage`. */
  readonly reason: string
  /** The rule, in words or by its section. */
  readonly rule: string
  /** The response was stored, or is going to be. */
  readonly stored: boolean
}

/** On the response itself: a map beside it would cost the garbage collector more than a hit does. */
const EXPLANATION = Symbol('explanation of the cache')

interface Explained {
  [EXPLANATION]?: CacheExplanation
}

/**
 * What `cache.http` decided for a response, and by which rule. The last decision, if several of them saw it.
 *
 * @returns `undefined` if none has
 */
export function explainCache(res: ServerResponse): CacheExplanation | undefined {
  return (res as Explained)[EXPLANATION]
}

export function explained(
  res: ServerResponse,
  decision: CacheExplanation['decision'],
  reason: string,
  rule: string,
  stored: boolean = true,
): void {
  ;(res as Explained)[EXPLANATION] = { decision, reason, rule, stored }
}
