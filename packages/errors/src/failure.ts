import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FailureOutcome, failureChannel } from './channels.js'
import { errorText } from './error-text.js'
import type { Problem } from './problem.js'
import { recordable } from './recordable.js'
import { writeToStderr } from './stderr.js'

/** What can still be done for the client. */
export function outcomeOf(req: IncomingMessage, res: ServerResponse): FailureOutcome {
  if (res.writableEnded) return 'late'
  if (res.destroyed || req.socket.destroyed || req.errored) return 'client-left'
  return res.headersSent ? 'cut' : 'answered'
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
