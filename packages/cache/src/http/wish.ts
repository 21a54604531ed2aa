import type { Entry } from '../entry.js'
import { parseCacheControl, secondsOf } from './cache-control.js'
import type { ResolvedHttpOptions } from './options.js'
import type { HttpRequest } from './plan.js'
import type { StoredResponse } from './stored-response.js'

/** What a client wishes of the cache. */
export interface Wish {
  /** Nothing of it is to be stored. */
  readonly bypass: boolean
  readonly onlyIfCached: boolean
  /** There are wishes about freshness. */
  readonly fresh: boolean
  readonly maxAgeMs: number
  readonly minFreshMs: number
}

const NO_WISH: Wish = Object.freeze({
  bypass: false,
  onlyIfCached: false,
  fresh: false,
  maxAgeMs: Number.POSITIVE_INFINITY,
  minFreshMs: 0,
})

/**
 * Reads the directives of a request. They are advisory; unless the route honours them, only `only-if-cached` counts,
 * so that nobody on the internet can make the handler run.
 *
 * @see RFC 9111 §5.2.1, §5.4
 */
export function wishOf({ headers }: HttpRequest, { clientDirectives }: ResolvedHttpOptions): Wish {
  const field = headers['cache-control']
  if (field === undefined && (headers.pragma === undefined || clientDirectives === 'ignore')) return NO_WISH
  const directives = parseCacheControl(field)
  const onlyIfCached = directives.has('only-if-cached')
  if (clientDirectives === 'ignore') return onlyIfCached ? { ...NO_WISH, onlyIfCached } : NO_WISH
  const noCache =
    directives.has('no-cache') || (field === undefined && /no-cache/i.test(headers.pragma ?? ''))
  const maxAge = secondsOf(directives, 'max-age')
  const minFresh = secondsOf(directives, 'min-fresh')
  return {
    bypass: directives.has('no-store'),
    onlyIfCached,
    fresh: noCache || maxAge !== undefined || minFresh !== undefined,
    maxAgeMs: noCache ? -1 : maxAge === undefined ? Number.POSITIVE_INFINITY : maxAge * 1_000,
    minFreshMs: (minFresh ?? 0) * 1_000,
  }
}

/** Whether a fresh response is fresh enough for the client. */
export function meets(entry: Entry, { maxAgeMs, minFreshMs }: Wish, nowMs: number): boolean {
  const { lifetimeMs } = entry.value as StoredResponse
  return lifetimeMs - (entry.endsAt - nowMs) <= maxAgeMs && entry.freshUntil - nowMs >= minFreshMs
}
