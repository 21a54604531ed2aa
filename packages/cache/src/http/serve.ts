import type { ServerResponse } from 'node:http'
import type { Entry } from '../entry.js'
import { isNotModified, requestedRange } from './conditional.js'
import { explained } from './explain.js'
import type { HttpRequest } from './plan.js'
import { statusMember } from './status-member.js'
import type { HeaderLine, StoredResponse } from './stored-response.js'

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
