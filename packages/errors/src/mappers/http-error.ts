import type { Mapped } from '../problem.js'
import { property } from '../property.js'
import { isErrorStatus } from '../status.js'

/**
 * Express's own convention, and the shape of http-errors: `status` or `statusCode`, `headers`, and a message that
 * is shown only where `expose` says so.
 */
export function mapHttpError(thrown: unknown): Mapped | undefined {
  const status = [property(thrown, 'status'), property(thrown, 'statusCode')].find(isErrorStatus)
  if (status === undefined) return undefined
  return {
    status,
    headers: property(thrown, 'headers'),
    detail: property(thrown, 'expose') === true ? property(thrown, 'message') : undefined,
  }
}
