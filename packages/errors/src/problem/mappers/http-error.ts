import { property, prototypeOf } from '../../property.js'
import type { Mapped } from '../mapped.js'
import { isErrorStatus } from '../status.js'

/**
 * An error of http-errors, which Express, body-parser, send and most middleware make. Its classes have `expose`, and
 * `status` equal to `statusCode`, in their prototype: no error of another library looks like that.
 */
export function mapHttpError(thrown: unknown): Mapped | undefined {
  if (!isMarked(prototypeOf(thrown))) return undefined
  return {
    status: property(thrown, 'status'),
    headers: property(thrown, 'headers'),
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
