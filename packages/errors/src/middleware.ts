import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Next, requestContext } from '@scale/core'
import { dropStaleHeaders, setErrorHeaders } from './answer/headers.js'
import { bodyOf, represent } from './answer/representation.js'
import { type ErrorRequest, instanceOf, requestIdOf } from './answer/request.js'
import { type ErrorHandlerOptions, resolveErrorHandlerOptions } from './options.js'
import { type Problem, problemOf } from './problem/problem.js'
import { outcomeOf, recordFailure, socketOf } from './record/failure.js'

/** Error middleware of Express 4 and 5. */
export type ErrorMiddleware = (error: unknown, req: ErrorRequest, res: ServerResponse, next: Next) => void

/**
 * The last middleware of an app: answers any failure with a problem document (RFC 9457), and records it.
 *
 * Nothing of an error is shown that was not meant for clients, whatever NODE_ENV says.
 *
 * @throws {InvalidOption} an option is unknown or wrong
 * @see docs/concepts/errors.md
 */
export function errorHandler(options?: ErrorHandlerOptions): ErrorMiddleware {
  const { requestId, translate } = resolveErrorHandlerOptions(options)

  return function errorHandler(error, req, res, _next) {
    const id = requestIdOf(req, requestId)
    const outcome = outcomeOf(req, res)
    const problem = problemOf(translated())
    recordFailure(error, problem, outcome, id, req, res)
    if (outcome === 'cut') return cut(req, res)
    if (outcome !== 'answered') return
    try {
      answer(problem, id, req, res)
    } catch (failure) {
      // A middleware has replaced a method of `res`. Express's own handler would show the stack.
      recordFailure(failure, problemOf(failure), 'cut', id, req, res)
      cut(req, res)
    }

    /** A translation that fails is a fault of its own, beside the error that it was given. */
    function translated(): unknown {
      try {
        return translate?.(error, req) ?? error
      } catch (fault) {
        recordFailure(fault, problemOf(undefined), outcome, id, req, res)
        return error
      }
    }
  }
}

/** Half an answer must not be taken for a whole one, by the client or by a cache. */
function cut(req: IncomingMessage, res: ServerResponse): void {
  socketOf(req, res)?.destroy()
}

function answer(problem: Problem, id: string | undefined, req: ErrorRequest, res: ServerResponse): void {
  const { contentType, text } = represent(
    req,
    problem,
    bodyOf(problem, instanceOf(req), id, requestContext()?.traceId),
  )
  dropStaleHeaders(res)
  setErrorHeaders(res, problem.headers)
  res.statusCode = problem.status
  res.statusMessage = ''
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  if (!res.hasHeader('Content-Security-Policy'))
    res.setHeader('Content-Security-Policy', "default-src 'none'")
  res.setHeader('Content-Type', contentType)
  res.setHeader('Content-Length', Buffer.byteLength(text))
  varyOnAccept(res)
  if (req.destroyed && !req.complete) res.setHeader('Connection', 'close')
  if (req.method === 'HEAD') res.end()
  else res.end(text)
  readOff(req)
}

function varyOnAccept(res: ServerResponse): void {
  const vary = String(res.getHeader('Vary') ?? '')
  if (!/(?:^|,)\s*(?:accept|\*)\s*(?:,|$)/i.test(vary)) {
    res.setHeader('Vary', vary === '' ? 'Accept' : `${vary}, Accept`)
  }
}

/** A client that is still sending reads the answer only when it is done. A destroyed request is read no more. */
function readOff(req: IncomingMessage): void {
  if (req.complete) return
  req.unpipe()
  req.resume()
}
