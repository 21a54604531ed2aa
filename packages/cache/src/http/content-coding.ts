import type { IncomingHttpHeaders } from 'node:http'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { parseCacheControl } from './cache-control.js'
import type { Fields, HeaderLine } from './fields.js'
import { prepared, type StoredResponse } from './stored-response.js'
import { acceptedEncodings } from './vary.js'

/** A content coding that stored responses can be sent in. */
export type Encoding = 'br' | 'gzip'

/** Below this an encoded body saves less than a packet. */
const MIN_BYTES = 1_024
const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)|application\/(?:[\w.+-]*\+)?(?:json|xml|javascript)|image\/svg\+xml)/i

const brotli = promisify(brotliCompress)
const deflate = promisify(gzip)
const encoders: Record<Encoding, (body: Buffer) => Promise<Buffer>> = {
  // 5 of 11: nearly the size of the best, at a fraction of the time.
  br: (body) => brotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  gzip: (body) => deflate(body),
}

/** What has been made of a response, or is being made. It lives as long as the response does in this process. */
const made = new WeakMap<StoredResponse, Map<Encoding, StoredResponse | undefined>>()

/** Whether a response may be sent in another coding: then it varies on `Accept-Encoding`. */
export function isEncodable(status: number, fields: Fields): boolean {
  return (
    status === 200 &&
    !fields.has('content-encoding') &&
    COMPRESSIBLE.test(fields.text('content-type') ?? '') &&
    !parseCacheControl(fields.get('cache-control')).has('no-transform')
  )
}

/**
 * The response in the first of the codings that the client takes; as it is, while that is being made: once for all
 * clients, in the background, on zlib's own threads.
 *
 * @param encodings  in order of preference
 */
export function encodedFor(
  stored: StoredResponse,
  headers: IncomingHttpHeaders,
  encodings: readonly Encoding[],
): StoredResponse {
  const field = headers['accept-encoding']
  // Parts are of the response as it is.
  if (
    field === undefined ||
    headers.range !== undefined ||
    !stored.encodable ||
    stored.body.length < MIN_BYTES
  ) {
    return stored
  }
  const accepted = acceptedEncodings(String(field))
  const encoding = encodings.find((one) => accepted.includes(one))
  if (encoding === undefined) return stored
  let variants = made.get(stored)
  if (variants === undefined) {
    variants = new Map()
    made.set(stored, variants)
  }
  if (!variants.has(encoding)) make(stored, encoding, variants)
  return variants.get(encoding) ?? stored
}

function make(
  stored: StoredResponse,
  encoding: Encoding,
  variants: Map<Encoding, StoredResponse | undefined>,
): void {
  variants.set(encoding, undefined)
  encoders[encoding](stored.body).then(
    (body) => {
      if (body.length < stored.body.length) variants.set(encoding, encodedAs(stored, encoding, body))
    },
    // Only a lack of memory: the response is served as it is.
    () => {},
  )
}

/** Another representation has another ETag (RFC 9110 §8.8.3.3). */
function encodedAs(stored: StoredResponse, encoding: Encoding, body: Buffer): StoredResponse {
  const headers = stored.headers.map(
    ([name, value]): HeaderLine =>
      name.toLowerCase() === 'etag' ? [name, String(value).replace(/"$/, `-${encoding}"`)] : [name, value],
  )
  return prepared({ ...stored, headers: [...headers, ['Content-Encoding', encoding]], body })
}
