import type { ServerResponse } from 'node:http'

/** Why a request went forward without being stored. */
export type ForwardKind = 'bypass' | 'method' | 'request' | 'uri-miss'

/** Members of `Cache-Status` (RFC 9211 §2), without the cache's name. */
export const statusMember = {
  hit: (ttlMs: number, layer: 'l1' | 'l2'): string =>
    `hit; ttl=${Math.floor(ttlMs / 1_000)}; detail=${layer}`,
  stale: (ttlMs: number, why: string): string => `hit; ttl=${Math.floor(ttlMs / 1_000)}; detail=${why}`,
  collapsed: (ttlMs: number): string => `fwd=uri-miss; collapsed; ttl=${Math.floor(ttlMs / 1_000)}`,
  revalidated: (ttlMs: number): string =>
    `fwd=stale; fwd-status=304; stored; ttl=${Math.floor(ttlMs / 1_000)}`,
  /** @param detail  why it was not stored; none if it was */
  miss: (forward: 'uri-miss' | 'vary-miss' | 'stale', detail: string | undefined): string =>
    detail === undefined ? `fwd=${forward}; stored` : `fwd=${forward}; detail=${detail}`,
  forward: (kind: ForwardKind, detail: string): string => `fwd=${kind}; detail=${detail}`,
}

/** Calls back when the head of a response is about to be sent, once. */
export function beforeHead(res: ServerResponse, callback: () => void): void {
  const { writeHead } = res
  res.writeHead = ((...args: Parameters<typeof res.writeHead>) => {
    res.writeHead = writeHead
    callback()
    return writeHead.apply(res, args)
  }) as typeof res.writeHead
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

export function explained(res: ServerResponse, explanation: CacheExplanation): void {
  ;(res as Explained)[EXPLANATION] = explanation
}
