import type { ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import { type CacheReadMessage, readChannel } from '../channels.js'
import type { Entry } from '../entry.js'
import { encodedFor } from './encodings.js'
import { explained } from './explain.js'
import type { ResolvedHttpOptions } from './options.js'
import { serve, serveStale } from './serve.js'
import { beforeHead, type ForwardKind, statusMember } from './status-member.js'
import type { StoredResponse } from './stored-response.js'
import type { Settled, Visit } from './visit.js'

const RULES: Readonly<Record<string, string>> = Object.freeze({
  credentials: 'the request carries credentials, and no `partition` is named',
  method: 'RFC 9111 §4: only GET and HEAD are answered from the cache',
  unsafe: 'RFC 9111 §4: unsafe methods are written through',
  'hit-for-miss': 'the last response could not be stored, so nobody waits for this one',
  precondition: 'RFC 9111 §4.3.2: conditions that only the origin can evaluate',
  'no-store': 'RFC 9111 §5.2.1.5',
  range: 'RFC 9111 §3.3: a part is not stored',
})

/** Ends visits: with a stored response, or by handing them on; and says so in `Cache-Status` and on the channel. */
export class Answers {
  readonly #options: ResolvedHttpOptions
  readonly #cache: string

  constructor(options: ResolvedHttpOptions, cache: string) {
    this.#options = options
    this.#cache = cache
  }

  stored({ req, res }: Pick<Visit, 'req' | 'res'>, entry: Entry, layer: 'l1' | 'l2', nowMs: number): void {
    const { cacheName, encodings } = this.#options
    const whole = entry.value as StoredResponse
    // What is made of a copy outlives this visit; what would be made of a response from the store would not.
    const isEncoded = layer === 'l1' && encodings.length > 0
    const response = isEncoded ? encodedFor(whole, req.headers, encodings) : whole
    const ttlMs = entry.freshUntil - nowMs
    const ageMs = response.lifetimeMs - (entry.endsAt - nowMs)
    const isHit = ttlMs > 0
    const member = isHit
      ? statusMember.hit(ttlMs, layer)
      : statusMember.stale(ttlMs, 'stale-while-revalidate')
    explained(res, isHit ? HIT[layer] : STALE)
    this.report(isHit ? 'hit' : 'stale', layer, false)
    serve(req, res, response, ageMs, `${cacheName}; ${member}`)
  }

  /** What another visit has brought. */
  collapsed(
    { req, res }: Visit,
    { response, freshUntil, found }: Extract<Settled, { kind: 'stored' }>,
  ): void {
    const ttlMs = freshUntil - performance.now()
    const member = found ? statusMember.hit(ttlMs, 'l2') : statusMember.collapsed(ttlMs)
    explained(res, { decision: 'hit', reason: 'collapsed', rule: 'RFC 9111 §4', stored: true })
    this.report('hit', found ? 'l2' : 'l1', true)
    serve(req, res, response, response.lifetimeMs - ttlMs, `${this.#options.cacheName}; ${member}`)
  }

  /** What stands in for the failure of another visit. */
  collapsedStale({ req, res }: Visit, entry: Entry): void {
    this.report('stale', 'l1', true)
    serveStale(req, res, entry, this.#options.cacheName)
  }

  /** RFC 9111 §5.2.1.7 */
  gatewayTimeout({ res }: Visit): void {
    res.statusCode = 504
    res.setHeader('Cache-Status', `${this.#options.cacheName}; fwd=request; detail=only-if-cached`)
    explained(res, { decision: 'miss', reason: 'only-if-cached', rule: 'RFC 9111 §5.2.1.7', stored: false })
    res.end()
  }

  forward(res: ServerResponse, next: Next, kind: ForwardKind, reason: string): void {
    const { cacheName, targets } = this.#options
    explained(res, { decision: 'bypass', reason, rule: RULES[reason] ?? reason, stored: false })
    this.report('miss', undefined, false)
    beforeHead(res, () => {
      res.appendHeader('Cache-Status', `${cacheName}; ${statusMember.forward(kind, reason)}`)
      if (targets[0] !== undefined) res.removeHeader(targets[0])
    })
    next()
  }

  report(outcome: CacheReadMessage['outcome'], layer: 'l1' | 'l2' | undefined, collapsed: boolean): void {
    if (readChannel.hasSubscribers) readChannel.publish({ cache: this.#cache, outcome, layer, collapsed })
  }
}

const hit = (reason: string) =>
  Object.freeze({ decision: 'hit', reason, rule: 'RFC 9111 §4.2', stored: true } as const)
const HIT = { l1: hit('l1'), l2: hit('l2') }
const STALE = Object.freeze({
  decision: 'stale',
  reason: 'stale-while-revalidate',
  rule: 'RFC 5861 §3',
  stored: true,
} as const)
