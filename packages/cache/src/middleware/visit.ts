import type { ServerResponse } from 'node:http'
import { type Next, type RequestSlot, requestSlot } from '@scale/core'
import type { Coordinator } from '../coordination/coordinator.js'
import type { Entry } from '../entries/entry.js'
import type { Namespace } from '../entries/namespace.js'
import type { HttpRequest, Plan } from '../http/cache-key.js'
import type { StoredResponse } from '../http/stored-response.js'
import type { ResolvedCacheOptions } from '../options.js'
import type { ResolvedHttpOptions } from './options.js'

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

/**
 * Of a request whose handler runs to be stored: takes the options and tags of another mount of the middleware further
 * in, which is the same visit. What the first one has put into the key, and watches, stays.
 */
export const adopting: RequestSlot<Adopt | undefined> = requestSlot('cache visit')
type Adopt = (options: ResolvedHttpOptions, tags: readonly string[]) => void

/** The handler's response is to be stored. */
export interface ToStore {
  readonly kind: 'stored'
  readonly response: StoredResponse
  readonly ttlMs: number
  readonly swrMs: number
  readonly costMs: number
  /** That it names itself. */
  readonly tags: readonly string[]
}

/** What came of a handler's run that was to be stored. */
export type RunOutcome =
  | ToStore
  /** `transient`: the next one may well be stored. */
  | { readonly kind: 'refused'; readonly transient: boolean }
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
