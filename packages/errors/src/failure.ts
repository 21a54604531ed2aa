import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FailureOutcome, failureChannel } from './channels.js'
import type { Problem } from './problem.js'
import { recordable } from './recordable.js'

/** What can still be done for the client. */
export function outcomeOf(req: IncomingMessage, res: ServerResponse): FailureOutcome {
  if (res.writableEnded) return 'late'
  if (res.destroyed || req.socket.destroyed || req.errored) return 'client-left'
  return res.headersSent ? 'cut' : 'answered'
}

/** The last thing thrown at each response: a handler that is mounted twice sees it twice. */
const seen = new WeakMap<ServerResponse, { thrown: unknown }>()

/** Puts the error where request loggers look for it, `res.err`, and tells it to listeners; once per failure. */
export function recordFailure(
  thrown: unknown,
  problem: Problem,
  outcome: FailureOutcome,
  requestId: string | undefined,
  req: IncomingMessage,
  res: ServerResponse,
): void {
  const last = seen.get(res)
  if (last !== undefined && Object.is(last.thrown, thrown)) return
  seen.set(res, { thrown })
  const error = recordable(thrown)
  ;(res as { err?: unknown }).err = error
  if (!failureChannel.hasSubscribers) return
  const hasLeft = outcome === 'client-left'
  failureChannel.publish({
    error,
    status: hasLeft ? 499 : problem.status,
    code: hasLeft ? 'ERR_SCALE_CLIENT_LEFT' : problem.code,
    outcome,
    method: req.method ?? '',
    requestId,
  })
}
