import { property, textProperty } from '../../property.js'
import type { Mapped } from '../mapped.js'
import { isOfHttpClient } from './http-client-marks.js'
import { isMarked } from './http-error.js'

const malformed: Mapped = {
  status: 400,
  code: 'ERR_SCALE_BODY_MALFORMED',
  detail: 'The body is not well formed.',
}
const incomplete: Mapped = {
  status: 400,
  code: 'ERR_SCALE_BODY_INCOMPLETE',
  detail: 'The body ended before its declared length.',
}
const tooLarge: Mapped = {
  status: 413,
  code: 'ERR_SCALE_BODY_TOO_LARGE',
  detail: 'The body is larger than this route reads.',
}

/** By the `type` that body-parser sets. Its messages quote what came, so the words here are ours. */
const byType = new Map<string, Mapped>([
  ['entity.parse.failed', malformed],
  ['querystring.parse.rangeError', malformed],
  ['entity.too.large', tooLarge],
  ['parameters.too.many', { ...tooLarge, detail: 'The body has more parameters than this route reads.' }],
  [
    'charset.unsupported',
    { status: 415, code: 'ERR_SCALE_BODY_CHARSET', detail: 'The charset of the body is not supported.' },
  ],
  [
    'encoding.unsupported',
    {
      status: 415,
      code: 'ERR_SCALE_BODY_ENCODING',
      detail: 'The content encoding of the body is not supported.',
    },
  ],
  [
    'entity.verify.failed',
    { status: 403, code: 'ERR_SCALE_BODY_REFUSED', detail: 'The body did not pass its verification.' },
  ],
  ['request.aborted', incomplete],
  ['request.size.invalid', { ...incomplete, detail: 'The body is not as long as it was declared.' }],
])

/** Errors of body-parser, which `express.json()` and its siblings are; it makes them by http-errors. An app's `verify` may choose the status. */
export function mapBodyParser(thrown: unknown): Mapped | undefined {
  if (!isMarked(thrown) || isOfHttpClient(thrown)) return undefined
  const mapped = byType.get(textProperty(thrown, 'type') ?? '')
  if (mapped !== undefined) return { ...mapped, status: property(thrown, 'status') }
  return isCorruptEncoding(thrown) ? malformed : undefined
}

/** What zlib says of a body that is not gzip, deflate or brotli although it claims to be. body-parser makes it a 400. */
function isCorruptEncoding(thrown: unknown): boolean {
  return (
    property(thrown, 'status') === 400 &&
    /^(?:Z_|ERR__ERROR_|ERR_BROTLI)/.test(textProperty(thrown, 'code') ?? '')
  )
}

/** True if a property `body` of this error is what the client sent. */
export function holdsRawBody(thrown: unknown): boolean {
  return property(thrown, 'body') !== undefined && byType.has(textProperty(thrown, 'type') ?? '')
}

/** True if the message, written by the parser, quotes the body. */
export function quotesRawBody(thrown: unknown): boolean {
  return textProperty(thrown, 'type') === 'entity.parse.failed'
}
