import type { ServerResponse } from 'node:http'

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
