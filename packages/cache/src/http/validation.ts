import type { IncomingHttpHeaders } from 'node:http'
import type { Fields } from './fields.js'
import { parseHttpDate } from './http-date.js'

/** What a representation is compared by. */
export interface Validators {
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly date: string | undefined
}

export function validatorsOf(fields: Fields): Validators {
  return { etag: fields.text('etag'), lastModified: fields.text('last-modified'), date: fields.text('date') }
}

export function hasValidator({ etag, lastModified }: Validators): boolean {
  return etag !== undefined || lastModified !== undefined
}

const CONDITIONS = ['if-none-match', 'if-modified-since', 'if-range', 'range']

/**
 * Request fields as the handler is given them. The client's conditions are evaluated here: the handler would answer 304
 * to a cache that has nothing.
 *
 * @param stale  of the stored response that is to be confirmed
 * @see RFC 9111 §4.3.1
 */
export function validating(headers: IncomingHttpHeaders, stale: Validators | undefined): IncomingHttpHeaders {
  const copy = { ...headers }
  for (const name of CONDITIONS) delete copy[name]
  if (stale?.etag !== undefined) copy['if-none-match'] = stale.etag
  if (stale?.lastModified !== undefined) copy['if-modified-since'] = stale.lastModified
  // Express lets `no-cache` of the client hide that nothing has changed.
  if (stale !== undefined) delete copy['cache-control']
  return copy
}

const ENTITY_TAG = /^\s*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/
const NEXT_TAG = /\s*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)/y

/** Weak comparison: the opaque parts are equal. @see RFC 9110 §8.8.3.2 */
export function weaklyEqual(a: string, b: string): boolean {
  return opaque(a) === opaque(b)
}

/** Strong comparison: neither is weak, and they are equal. */
export function stronglyEqual(a: string, b: string): boolean {
  return !a.startsWith('W/') && a === b
}

function opaque(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag
}

/**
 * Whether a client's copy is still good, so that 304 is the answer: `If-None-Match` decides alone where it is present.
 *
 * @see RFC 9110 §13.1.2, §13.1.3, §13.2.2 · RFC 9111 §4.3.2
 */
export function isNotModified(headers: IncomingHttpHeaders, validators: Validators): boolean {
  const noneMatch = headers['if-none-match']
  if (noneMatch !== undefined) return matchesAny(noneMatch, validators.etag)
  const since = parseHttpDate(headers['if-modified-since'])
  if (since === undefined) return false
  const modified = parseHttpDate(validators.lastModified ?? validators.date)
  return modified !== undefined && modified <= since
}

function matchesAny(field: string, etag: string | undefined): boolean {
  if (field.trim() === '*') return true
  if (etag === undefined || !ENTITY_TAG.test(field)) return false
  NEXT_TAG.lastIndex = 0
  for (let match = NEXT_TAG.exec(field); match !== null; match = NEXT_TAG.exec(field)) {
    if (weaklyEqual(match[1]!, etag)) return true
    if (NEXT_TAG.lastIndex >= field.length) break
  }
  return false
}

/** One range of bytes, ends included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * The range that a request asks for.
 *
 * @returns `undefined`: answer with the whole; `unsatisfiable`: 416
 * @see RFC 9110 §14.1.2, §14.2, §13.1.5
 */
export function requestedRange(
  headers: IncomingHttpHeaders,
  length: number,
  validators: Validators,
): ByteRange | 'unsatisfiable' | undefined {
  const { range } = headers
  if (range === undefined) return undefined
  const ifRange = headers['if-range']
  if (typeof ifRange === 'string' && !sameRepresentation(ifRange, validators)) return undefined
  // Several ranges at once are answered with the whole, as anything malformed or of another unit.
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(range)
  if (match === null || (match[1] === '' && match[2] === '')) return undefined
  if (match[1] === '') {
    const suffix = Number(match[2])
    if (suffix === 0 || length === 0) return 'unsatisfiable'
    return { start: Math.max(0, length - suffix), end: length - 1 }
  }
  const start = Number(match[1])
  const end = match[2] === '' ? length - 1 : Math.min(Number(match[2]), length - 1)
  if (match[2] !== '' && Number(match[2]) < start) return undefined
  return start >= length ? 'unsatisfiable' : { start, end }
}

/** A date is strong only if it is at least a second older than the response (RFC 9110 §8.8.2.2). */
function sameRepresentation(ifRange: string, { etag, lastModified, date }: Validators): boolean {
  if (ifRange.startsWith('"') || ifRange.startsWith('W/')) {
    return etag !== undefined && stronglyEqual(ifRange, etag)
  }
  const modified = parseHttpDate(lastModified)
  const sent = parseHttpDate(date)
  return (
    modified !== undefined &&
    sent !== undefined &&
    sent - modified >= 1_000 &&
    parseHttpDate(ifRange) === modified
  )
}
