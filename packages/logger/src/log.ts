import { requestContext } from '@scale/core'
import { NoLogger } from './errors.js'
import { type AppLogger, latestLogger } from './logger.js'
import type { RequestScope } from './request/request-scope.js'

/**
 * The logger of the request that is being answered, wherever in its course this is called; its lines have the ids of
 * the request. Outside requests the logger that was made last.
 *
 * @throws {NoLogger} outside requests, before any logger was made
 */
export function log(): AppLogger {
  const logger = scope()?.log() ?? latestLogger()
  if (logger === undefined) throw new NoLogger()
  return logger
}

/**
 * The headers that carry the current trace and request id to another service: `traceparent`, `tracestate`,
 * `x-request-id`. Empty outside requests.
 *
 * @example await fetch(url, { headers: { ...traceHeaders() } })
 */
export function traceHeaders(): Record<string, string> {
  return scope()?.headers() ?? {}
}

/** Somebody else may have opened the context, without a logger. */
function scope(): RequestScope | undefined {
  const context = requestContext() as Partial<RequestScope> | undefined
  return typeof context?.log === 'function' ? (context as RequestScope) : undefined
}
