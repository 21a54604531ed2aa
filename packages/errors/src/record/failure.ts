import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type FailureOutcome, failureChannel } from '../channels.js'
import type { Problem } from '../problem/problem.js'
import { property } from '../property.js'
import { errorText } from './error-text.js'
import { recordable } from './recordable.js'
import { writeToStderr } from './stderr.js'

/**
 * What can still be done for the client. A `pipeline` that fails destroys its ends with its error: a response, which is
 * then cut, or a request, which then has no `socket` and may be answered yet. When a client leaves, Node says ECONNRESET.
 */
export function outcomeOf(req: IncomingMessage, res: ServerResponse): FailureOutcome {
  if (res.writableEnded) return 'late'
  if (res.errored) return 'cut'
  if (res.destroyed || socketOf(req, res)?.destroyed || isReset(req.errored)) return 'client-left'
  return res.headersSent ? 'cut' : 'answered'
}

/** The connection of both. */
export function socketOf(req: IncomingMessage, res: ServerResponse): Socket | null {
  return req.socket ?? res.socket
}

function isReset(error: unknown): boolean {
  return property(error, 'code') === 'ECONNRESET'
}

/** What was thrown at each response: a handler that is mounted twice sees it twice. */
const seen = new WeakMap<ServerResponse, Set<unknown>>()

/**
 * Puts the error where request loggers look for it, `res.err`, and tells it to listeners; once per failure. Where nobody
 * listens, a failure of the server goes to stderr: none is without a trace.
 */
export function recordFailure(
  thrown: unknown,
  problem: Problem,
  outcome: FailureOutcome,
  requestId: string | undefined,
  req: IncomingMessage,
  res: ServerResponse,
): void {
  const before = seen.get(res) ?? new Set()
  if (before.has(thrown)) return
  seen.set(res, before.add(thrown))
  const error = recordable(thrown)
  ;(res as { err?: unknown }).err = error
  const hasLeft = outcome === 'client-left'
  const status = hasLeft ? 499 : problem.status
  const method = req.method ?? ''
  if (!failureChannel.hasSubscribers) {
    if (status >= 500)
      writeToStderr(
        `${method} failed with ${status}${requestId === undefined ? '' : ` (${requestId})`}: ${errorText(error)}\n`,
      )
    return
  }
  failureChannel.publish({
    error,
    status,
    code: hasLeft ? 'ERR_SCALE_CLIENT_LEFT' : problem.code,
    outcome,
    method,
    requestId,
    upstreamStatus: problem.upstreamStatus,
  })
}
