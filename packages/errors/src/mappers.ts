import { mapAbort } from './mappers/abort.js'
import { mapBodyParser } from './mappers/body-parser.js'
import { mapHttpError } from './mappers/http-error.js'
import { mapScaleError } from './mappers/scale-error.js'
import { mapSchemaIssues } from './mappers/schema-issues.js'
import { mapUpstream } from './mappers/upstream.js'
import { mapUriError } from './mappers/uri-error.js'
import type { Mapped } from './problem.js'

/** Knows one kind of thing that is thrown, by its shape; `undefined` for any other. It never throws. */
export type Mapper = (thrown: unknown) => Mapped | undefined

/**
 * In order: what was meant for a client first; then shapes of their own; last, whatever has a status. The HTTP
 * clients stand before it, because the status on their errors is another server's.
 */
export const mappers: readonly Mapper[] = [
  mapScaleError,
  mapBodyParser,
  mapSchemaIssues,
  mapUriError,
  mapAbort,
  mapUpstream,
  mapHttpError,
]
