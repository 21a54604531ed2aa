import type { ServerResponse } from 'node:http'
import { type Next, requestRecord, runInRequestContext } from '@scale/core'
import { type RequestLoggerOptions, resolveRequestLoggerOptions } from './options.js'
import { openScope } from './request/open-scope.js'
import { type LoggedRequest, requestLines } from './request/request-line.js'
import { RequestScope } from './request/request-scope.js'

/** Middleware of Express 4 and 5. */
export type RequestLogger = (req: LoggedRequest, res: ServerResponse, next: Next) => void

/**
 * Gives each request its ids and its logger, and writes one line about it when the response is over.
 *
 * The first middleware of an app. `req.id` and `X-Request-Id` have the request's id; `log()` has its logger, and
 * `requestContext()` of `@scale/core` its ids, everywhere below.
 *
 * @throws {InvalidOption} an option is unknown or wrong, or the logger is not one of `createLogger`
 * @see docs/concepts/logging.md
 */
export function requestLogger(options: RequestLoggerOptions): RequestLogger {
  const rules = resolveRequestLoggerOptions(options)
  const logRequest = requestLines(rules)
  const quiet = new Set(rules.quietPaths)

  return function requestLogger(req, res, next) {
    const record = requestRecord(req, res)
    // Mounted twice: the first one has it.
    if (record.context instanceof RequestScope) return next()
    const scope = openScope(req, rules)
    record.context = scope
    ;(req as { id?: unknown }).id = scope.requestId
    res.setHeader('X-Request-Id', scope.requestId)
    if (!isQuiet(req)) record.onEnd(() => logRequest(scope, req, res, record))
    runInRequestContext(scope, next)
  }

  function isQuiet({ url = '' }: LoggedRequest): boolean {
    const query = url.indexOf('?')
    return quiet.has(query === -1 ? url : url.slice(0, query))
  }
}
