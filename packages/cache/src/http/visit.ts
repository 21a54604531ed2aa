import type { ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import type { Entries } from '../entries.js'
import type { Entry } from '../entry.js'
import type { Flights } from '../flights.js'
import type { HttpRequest, Plan } from './plan.js'
import type { StoredResponse } from './stored-response.js'

/** What the middleware needs of its cache. */
export interface HttpCacheParts {
  readonly name: string
  readonly entries: Entries
  readonly flights: Flights<Settled>
  readonly earlyRefresh: number
  readonly waitMs: number
  readonly leaseMs: number
  /** Who runs a handler for longer than this is replaced. */
  readonly loaderTimeoutMs: number
  readonly livenessMs: number
  readonly outageGraceMs: number
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

/** What those who waited for a run of the handler are told. */
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
  /** Everyone for themselves. */
  | { readonly kind: 'refused' }
  /** Look again: somebody else may lead now. */
  | { readonly kind: 'again' }

export const REFUSED: Settled = Object.freeze({ kind: 'refused' })
export const AGAIN: Settled = Object.freeze({ kind: 'again' })

/** Tells those who wait. */
export type Settle = (settled: Settled) => void
