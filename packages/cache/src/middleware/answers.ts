import type { ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import type { Reports } from '../channels.js'
import type { Entry } from '../entries/entry.js'
import type { HttpRequest } from '../http/cache-key.js'
import { explained, type ForwardKind, statusMember } from '../http/cache-status.js'
import { encodedFor } from '../http/content-coding.js'
import type { HeaderLine } from '../http/fields.js'
import type { StoredResponse } from '../http/stored-response.js'
import { isNotModified, requestedRange } from '../http/validation.js'
import type { ResolvedHttpOptions } from './options.js'
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
  readonly #reports: Reports

  constructor(options: ResolvedHttpOptions, reports: Reports) {
    this.#options = options
    this.#reports = reports
  }

  stored({ req, res }: Pick<Visit, 'req' | 'res'>, entry: Entry, layer: 'l1' | 'l2', nowMs: number): void {
    const { cacheName, encodings } = this.#options
    const whole = entry.value as StoredResponse
    // What is made of a copy outlives this visit; what would be made of a response from the store would not.
    const isEncoded = layer === 'l1' && encodings.length > 0
    const response = isEncoded ? encodedFor(whole, req.headers, encodings) : whole
    const ttlMs = entry.freshUntil - nowMs
    const isHit = ttlMs > 0
    if (isHit) explained(res, 'hit', layer, 'RFC 9111 §4.2')
    else explained(res, 'stale', 'stale-while-revalidate', 'RFC 5861 §3')
    this.#reports.read(isHit ? 'hit' : 'stale', layer, false)
    const member = statusMember.hit(ttlMs, isHit ? layer : 'stale-while-revalidate')
    serve(req, res, response, ageOf(entry, nowMs), `${cacheName}; ${member}`)
  }

  /** What another visit has brought, or what stands in for its failure. */
  collapsed({ req, res }: Visit, settled: Extract<Settled, { kind: 'stored' | 'stale' }>): void {
    const { cacheName } = this.#options
    if (settled.kind === 'stale') {
      this.#reports.read('stale', 'l1', true)
      serveStale(req, res, settled.entry, cacheName)
      return
    }
    const { response, freshUntil, found } = settled
    const ttlMs = freshUntil - performance.now()
    const member = found ? statusMember.hit(ttlMs, 'l2') : statusMember.collapsed(ttlMs)
    explained(res, 'hit', 'collapsed', 'RFC 9111 §4')
    this.#reports.read('hit', found ? 'l2' : 'l1', true)
    serve(req, res, response, response.lifetimeMs - ttlMs, `${cacheName}; ${member}`)
  }

  /** RFC 9111 §5.2.1.7 */
  gatewayTimeout({ res }: Visit): void {
    res.statusCode = 504
    res.setHeader(
      'Cache-Status',
      `${this.#options.cacheName}; ${statusMember.forward('request', 'only-if-cached')}`,
    )
    explained(res, 'miss', 'only-if-cached', 'RFC 9111 §5.2.1.7', false)
    res.end()
  }

  forward(res: ServerResponse, next: Next, kind: ForwardKind, reason: string): void {
    const { cacheName, targets } = this.#options
    explained(res, 'bypass', reason, RULES[reason] ?? reason, false)
    this.#reports.read('miss', undefined, false)
    const { writeHead } = res
    res.writeHead = ((...args: Parameters<typeof res.writeHead>) => {
      res.writeHead = writeHead
      res.appendHeader('Cache-Status', `${cacheName}; ${statusMember.forward(kind, reason)}`)
      if (targets[0] !== undefined) res.removeHeader(targets[0])
      return writeHead.apply(res, args)
    }) as typeof res.writeHead
    next()
  }
}

/** The current age of a stored response, in ms. @see RFC 9111 §4.2.3 */
export function ageOf({ value, endsAt }: Entry, nowMs: number): number {
  return (value as StoredResponse).lifetimeMs - (endsAt - nowMs)
}

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
  const nowMs = performance.now()
  explained(res, 'stale', 'stale-if-error', 'RFC 5861 §4')
  const member = statusMember.hit(entry.freshUntil - nowMs, 'stale-if-error')
  serve(req, res, entry.value as StoredResponse, ageOf(entry, nowMs), `${cacheName}; ${member}`)
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
