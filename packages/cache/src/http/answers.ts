import type { ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import { type CacheReadMessage, readChannel } from '../channels.js'
import type { Entry } from '../entries/entry.js'
import type { HttpRequest } from './cache-key.js'
import { beforeHead, explained, type ForwardKind, statusMember } from './cache-status.js'
import { encodedFor } from './encodings.js'
import type { ResolvedHttpOptions } from './options.js'
import type { HeaderLine, StoredResponse } from './stored-response.js'
import { isNotModified, requestedRange } from './validation.js'
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

/** Fields of a 304 (RFC 9110 §15.4.5), and those that the cache adds. */
const IN_304 = new Set(['cache-control', 'content-location', 'date', 'etag', 'expires', 'vary'])

/**
 * Answers from a stored response: 200 whole, 206 in part, 304 or 416, as the request's conditions have it.
 *
 * @param ageMs   the response's current age
 * @param status  this cache's member of `Cache-Status`
 * @see RFC 9111 §4, §4.3.2 · RFC 9110 §13, §14
 */
export function serve(
  req: HttpRequest,
  res: ServerResponse,
  stored: StoredResponse,
  ageMs: number,
  status: string,
): void {
  const { body, validators } = stored
  const ok = stored.status === 200
  res.statusCode = stored.status
  res.sendDate = false
  if (ok && isNotModified(req.headers, validators)) {
    res.statusCode = 304
    setLines(
      res,
      stored.headers.filter(([name]) => IN_304.has(name.toLowerCase())),
    )
    finish(res, ageMs, status)
    res.end()
    return
  }
  setLines(res, stored.headers)
  if (stored.statusMessage !== undefined) res.statusMessage = stored.statusMessage
  finish(res, ageMs, status)
  const range = ok && req.method === 'GET' ? requestedRange(req.headers, body.length, validators) : undefined
  if (range === 'unsatisfiable') {
    res.statusCode = 416
    res.statusMessage = 'Range Not Satisfiable'
    for (const name of ['Content-Type', 'Content-Encoding', 'ETag', 'Last-Modified']) res.removeHeader(name)
    res.setHeader('Content-Range', `bytes */${body.length}`)
    res.setHeader('Content-Length', 0)
    res.end()
  } else if (range !== undefined) {
    res.statusCode = 206
    res.statusMessage = 'Partial Content'
    res.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${body.length}`)
    res.setHeader('Content-Length', range.end - range.start + 1)
    res.end(body.subarray(range.start, range.end + 1))
  } else {
    if (stored.status !== 204) res.setHeader('Content-Length', body.length)
    if (req.method === 'HEAD') res.end()
    else if (stored.text !== undefined) res.end(stored.text, 'latin1')
    else res.end(body)
  }
}

/** Answers from a stored response in place of one that failed. */
export function serveStale(req: HttpRequest, res: ServerResponse, entry: Entry, cacheName: string): void {
  const stored = entry.value as StoredResponse
  const nowMs = performance.now()
  explained(res, { decision: 'stale', reason: 'stale-if-error', rule: 'RFC 5861 §4', stored: true })
  const member = statusMember.stale(entry.freshUntil - nowMs, 'stale-if-error')
  serve(req, res, stored, stored.lifetimeMs - (entry.endsAt - nowMs), `${cacheName}; ${member}`)
}

function setLines(res: ServerResponse, lines: readonly HeaderLine[]): void {
  for (let i = 0; i < lines.length; i++) {
    const [name, value] = lines[i]!
    // What was set upstream stays, and is joined where a list may be: `Vary` of CORS and of the stored response.
    if (name.length === 4 && name.toLowerCase() === 'vary') res.appendHeader(name, value)
    else res.setHeader(name, value as string | string[])
  }
}

function finish(res: ServerResponse, ageMs: number, status: string): void {
  res.setHeader('Age', Math.max(0, Math.floor(ageMs / 1_000)))
  res.appendHeader('Cache-Status', status)
}
