import { type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http'
import { entriesOf } from '../property.js'

/**
 * Headers that belong to the answer that was being prepared, or let it be cached: on an error they would lie.
 * `X-Accel-…` and `X-Sendfile` let a proxy put a file in place of the body.
 */
const STALE =
  /^(?:content-(?!security-policy).+|etag|last-modified|expires|age|pragma|accept-ranges|location|digest|repr-digest|trailer|transfer-encoding|(?:.+-)?cache-control|surrogate-.+|(?:.+-)?cache-tags?|x-accel-.+|x-sendfile)$/

/** Headers that an error cannot choose: they frame the answer, or would let it be cached. */
const OURS =
  /^(?:content-(?!range$|language$|security-policy).+|connection|keep-alive|trailer|transfer-encoding|(?:.+-)?cache-control|expires|age|etag|last-modified|set-cookie2?|x-accel-.+|x-sendfile)$/i

/** Removes what was set for another answer. CORS, security, `Set-Cookie` and request-id headers stay. */
export function dropStaleHeaders(res: ServerResponse): void {
  for (const name of res.getHeaderNames()) {
    if (STALE.test(name)) res.removeHeader(name)
  }
}

/** Sets the headers of an error: those that are well formed and that an error may choose. */
export function setErrorHeaders(res: ServerResponse, headers: unknown): void {
  for (const [name, value] of entriesOf(headers)) {
    const text = headerText(name, value)
    if (text === undefined || OURS.test(name)) continue
    if (/^vary$/i.test(name)) res.appendHeader(name, text)
    else res.setHeader(name, text)
  }
}

/** `undefined` for a name or value that HTTP does not allow, such as one with a line break. */
function headerText(name: string, value: unknown): string | undefined {
  const text = /^retry-after$/i.test(name) ? retryAfter(value) : plainText(value)
  if (text === undefined) return undefined
  try {
    validateHeaderName(name)
    validateHeaderValue(name, text)
    return text
  } catch {
    return undefined
  }
}

function plainText(value: unknown): string | undefined {
  if (Array.isArray(value))
    return value.every((one) => typeof one === 'string') ? value.join(', ') : undefined
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

/** Whole seconds, rounded up, or a date (RFC 9110 §10.2.3). */
function retryAfter(value: unknown): string | undefined {
  const text = plainText(value)?.trim()
  if (!text) return undefined
  const seconds = Number(text)
  if (!Number.isNaN(seconds))
    return seconds >= 0 && seconds < 2 ** 31 ? String(Math.ceil(seconds)) : undefined
  return Number.isNaN(Date.parse(text)) ? undefined : text
}
