import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import { NotFound } from '../app-error/status-errors.js'

/** Middleware of Express 4 and 5, with nothing that only one of them has. */
export type PlainMiddleware = (req: IncomingMessage, res: ServerResponse, next: Next) => void

/** The last middleware but the error handler: whatever arrives here has no route, and fails with 404. */
export function notFound(): PlainMiddleware {
  return function notFound(_req, _res, next) {
    next(new NotFound('There is nothing at this address.', { code: 'ERR_SCALE_ROUTE_NOT_FOUND' }))
  }
}
