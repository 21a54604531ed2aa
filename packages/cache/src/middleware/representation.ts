import { hash } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import { formatStructuredString } from '@scale/core'
import { isEncodable } from '../http/content-coding.js'
import { Fields, type HeaderLine } from '../http/fields.js'
import { type Refusal, type Storable, storedFields, updatedBy } from '../http/storability.js'
import { prepared, type StoredResponse } from '../http/stored-response.js'
import type { CapturedHead } from './capture.js'
import type { ResolvedHttpOptions } from './options.js'
import type { Visit } from './visit.js'

/** The response that is stored of what the handler wrote. */
export function responseOf(
  { status, statusMessage, fields: written }: CapturedHead,
  body: Buffer,
  found: Storable,
  visit: Visit,
  options: ResolvedHttpOptions,
): StoredResponse {
  const fields = storedFields(written, [...found.strip, 'vary', ...options.targets.slice(0, 1)])
  for (const [name, value] of downstreamFields(written, found, visit, options)) fields.set(name, value)
  if (!fields.has('date')) fields.set('Date', new Date().toUTCString())
  if (status === 200 && !fields.has('etag')) fields.set('ETag', `"${hash('sha1', body, 'base64url')}"`)
  const vary = varyOf(status, written, found, options)
  if (vary.length > 0) fields.set('Vary', vary.join(', '))
  return prepared({
    status,
    statusMessage,
    headers: fields.lines,
    body,
    lifetimeMs: found.lifetimeMs,
    isNeverFresh: found.isNeverFresh,
    staleIfErrorMs: found.staleIfErrorMs,
    vary: found.vary,
    encodable: vary !== found.vary,
  })
}

/**
 * The stored response with the fields of a 304 that confirmed it.
 *
 * @returns `found` is undefined if it is not to be stored any more
 * @see RFC 9111 §4.3.4
 */
export function renewedResponse(
  stale: StoredResponse,
  confirmed: Fields,
  judged: (fields: Fields) => Storable | Refusal,
  visit: Visit,
  options: ResolvedHttpOptions,
): { readonly response: StoredResponse; readonly found: Storable | undefined } {
  const news = storedFields(confirmed, ['vary'])
  if (!news.has('date')) news.set('Date', new Date().toUTCString())
  const updated = updatedBy(new Fields(stale.headers), news)
  // What the stored response varies on is in its key already.
  const said = updated.without(['vary'])
  const vary = confirmed.get('vary')
  if (vary !== undefined) said.set('Vary', vary)
  const found = judged(said)
  const added = found.store ? found.vary.filter((name) => !isChosenBy(stale, name)) : []
  const fields = updated.without([...options.targets.slice(0, 1), ...(found.store ? found.strip : [])])
  for (const [name, value] of downstreamFields(said, found, visit, options)) fields.set(name, value)
  if (added.length > 0) fields.set('Vary', [...stale.vary, ...added].join(', '))
  const response = prepared({ ...stale, headers: fields.lines })
  if (!found.store || added.length > 0) return { response, found: undefined }
  const { lifetimeMs, isNeverFresh, staleIfErrorMs } = found
  return { response: { ...response, lifetimeMs, isNeverFresh, staleIfErrorMs }, found }
}

/**
 * The handler's fields, and those set before it ran that hold for the whole response: a lifetime or a prohibition is no
 * less said for that.
 */
export function withInherited(own: Fields, before: OutgoingHttpHeaders, targets: readonly string[]): Fields {
  const all = new Fields(own.lines)
  for (const name of ['cache-control', 'expires', ...targets]) {
    const value = before[name]
    if (value !== undefined && !own.has(name)) all.set(name, Array.isArray(value) ? value : String(value))
  }
  return all
}

/** Whether requests that differ in this field never get the same stored response. */
function isChosenBy({ vary, encodable }: StoredResponse, name: string): boolean {
  return vary.includes(name) || (encodable && name === 'accept-encoding')
}

/** The request fields that choose what is sent: also its coding, where the cache makes that. */
export function varyOf(
  status: number,
  fields: Fields,
  found: Storable,
  options: ResolvedHttpOptions,
): readonly string[] {
  const isOneOfSeveral = options.encodings.length > 0 && isEncodable(status, fields)
  return isOneOfSeveral ? [...found.vary, 'accept-encoding'] : found.vary
}

/** What clients and caches downstream are told beyond what the handler said. */
export function downstreamFields(
  fields: Fields,
  found: Storable | Refusal,
  { plan, tags }: Visit,
  { sendTags }: ResolvedHttpOptions,
): HeaderLine[] {
  const lines: HeaderLine[] = []
  const said = fields.text('cache-control')
  if (plan.partitioned && !/\b(?:private|no-store)\b/i.test(said ?? '')) {
    const rest = said === undefined ? '' : `${said.replace(/\bpublic\b,?\s*/i, '')}, `
    lines.push(['Cache-Control', `${rest}private`])
  }
  const own = found.store && sendTags ? tags.filter((tag) => !tag.startsWith('\0')) : []
  if (own.length > 0) {
    lines.push(['Cache-Groups', own.map(formatStructuredString).join(', ')])
    lines.push(['Surrogate-Key', own.filter((tag) => /^[\x21-\x7e]+$/.test(tag)).join(' ')])
  }
  return lines
}
