import type { ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import type { Entry } from '../entries/entry.js'
import type { Namespace } from '../entries/namespace.js'
import type { Coordinator } from '../loads/coordinator.js'
import type { ResolvedCacheOptions } from '../options.js'
import type { HttpRequest, Plan } from './cache-key.js'
import type { StoredResponse } from './stored-response.js'

/** What the middleware needs of its cache. */
export interface HttpCacheParts {
  readonly options: ResolvedCacheOptions
  readonly coordinator: Coordinator
  readonly namespace: Namespace
  invalidateTags(tags: readonly string[]): Promise<boolean>
}

export type CachePlan = Extract<Plan, { kind: 'cache' }>

/** One request on its way through the cache. */
export interface Visit {
  readonly req: HttpRequest
  readonly res: ServerResponse
  readonly next: Next
  readonly plan: CachePlan
  /** Tags of what is stored for it, as far as they are known before. */
  tags: readonly string[]
}

/** What came of a handler's run that was to be stored. */
export type RunOutcome =
  | {
      readonly kind: 'stored'
      readonly response: StoredResponse
      readonly ttlMs: number
      readonly swrMs: number
      readonly groups: readonly string[]
      readonly costMs: number
    }
  | { readonly kind: 'refused'; readonly reason: string; readonly transient: boolean }
  /** It failed, and this was served instead. */
  | { readonly kind: 'stale'; readonly entry: Entry }
  | { readonly kind: 'aborted' }

/** What those who waited for another visit are told. */
export type Settled =
  | {
      readonly kind: 'stored'
      readonly response: StoredResponse
      readonly freshUntil: number
      /** It was found in the store, and no handler ran. */
      readonly found: boolean
    }
  /** The handler failed, and this stands in for its response. */
  | { readonly kind: 'stale'; readonly entry: Entry }
  /** It depends on request fields: each is to look for its own variant. */
  | { readonly kind: 'vary'; readonly entry: Entry }
  /** Everyone for themselves. */
  | { readonly kind: 'refused' }
  /** Look again: somebody else may go first now. */
  | { readonly kind: 'again' }

export const REFUSED: Settled = Object.freeze({ kind: 'refused' })
export const AGAIN: Settled = Object.freeze({ kind: 'again' })
