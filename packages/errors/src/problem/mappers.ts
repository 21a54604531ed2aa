import type { Mapper } from './mapped.js'
import { mapAbort } from './mappers/abort.js'
import { mapBodyParser } from './mappers/body-parser.js'
import { mapCelebrate } from './mappers/celebrate.js'
import { mapHttpError } from './mappers/http-error.js'
import { mapMultipart } from './mappers/multipart.js'
import { mapPlainError } from './mappers/plain-error.js'
import { mapScaleError } from './mappers/scale-error.js'
import { mapUpstream } from './mappers/upstream.js'
import { mapUriError } from './mappers/uri-error.js'

/**
 * In order: those that may speak to the client, because this app, its parsers or its middleware made them; last, what is
 * another server's.
 */
export const mappers: readonly Mapper[] = [
  mapScaleError,
  mapBodyParser,
  mapMultipart,
  mapCelebrate,
  mapUriError,
  mapHttpError,
  mapPlainError,
  mapAbort,
  mapUpstream,
]
