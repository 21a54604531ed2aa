import type { Mapped } from '../problem.js'
import { hasProperty, property, prototypeOf } from '../property.js'
import { isErrorStatus } from '../status.js'

/**
 * An error of http-errors, which Express, body-parser, send and most middleware make: `expose`, and `status` equal to
 * `statusCode`. A status alone says nothing of whose it is.
 *
 * One of its classes has all three in its prototype. `createError(404, error)` writes them onto an error of
 * somebody else: such a one says its status, unless it also tells how another server answered.
 *
 * @see https://github.com/jshttp/http-errors#createerrorishttperrorval
 */
export function mapHttpError(thrown: unknown): Mapped | undefined {
  if (!isMarked(thrown)) return undefined
  const isOfClass = isMarked(prototypeOf(thrown))
  if (!isOfClass && ['headers', 'response', '$metadata'].some((name) => hasProperty(thrown, name)))
    return undefined
  return {
    status: property(thrown, 'status'),
    headers: isOfClass ? property(thrown, 'headers') : undefined,
    detail: property(thrown, 'expose') === true ? property(thrown, 'message') : undefined,
  }
}

/** What `isHttpError` of http-errors asks. */
export function isMarked(value: unknown): boolean {
  const status = property(value, 'status')
  return (
    typeof property(value, 'expose') === 'boolean' &&
    isErrorStatus(status) &&
    status === property(value, 'statusCode')
  )
}
