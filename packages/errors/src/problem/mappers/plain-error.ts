import { entriesOf, isError, property } from '../../property.js'
import type { Mapped } from '../mapped.js'
import { isErrorStatus } from '../status.js'
import { isOfHttpClient } from './http-client-marks.js'

/**
 * Express's own convention: an `Error`, or a class of the app, with `status` or `statusCode`, and perhaps a few `headers`
 * for the answer. So are the errors of passport, express-jwt and most middleware, and what `createError(404, error)`
 * makes of one. An object that has nothing but a status and a message counts as one.
 *
 * Only where nothing in it tells of a request to another server: then its status is that server's.
 *
 * @see https://expressjs.com/en/guide/error-handling.html
 */
export function mapPlainError(thrown: unknown): Mapped | undefined {
  const status = statusOf(thrown)
  if (status === undefined || isOfHttpClient(thrown)) return undefined
  if (!isError(thrown) && !isBare(thrown)) return undefined
  const isShown = property(thrown, 'expose') !== false && property(thrown, 'syscall') === undefined
  return {
    status,
    headers: property(thrown, 'headers'),
    detail: isShown ? property(thrown, 'message') : undefined,
  }
}

/** The status that stands on the error itself. */
export function statusOf(thrown: unknown): number | undefined {
  return [property(thrown, 'status'), property(thrown, 'statusCode')].find(isErrorStatus)
}

const BARE = new Set(['status', 'statusCode', 'message', 'code', 'name', 'expose'])

/** `next({ status: 404, message: 'No such page.' })`. A parsed answer of another server says more, or something else. */
function isBare(thrown: unknown): boolean {
  return entriesOf(thrown).every(([name]) => BARE.has(name))
}
