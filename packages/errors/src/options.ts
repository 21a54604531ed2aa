import type { IncomingMessage } from 'node:http'
import { durationMs, func, type ResolvedOptions, resolveOptions } from '@scale/core'
import type { FatalMessage } from './channels.js'
import { property } from './property.js'
import { errorText } from './record/error-text.js'
import { writeToStderr } from './record/stderr.js'

/** Options of `errorHandler`. */
export interface ErrorHandlerOptions {
  /**
   * Where the id of a request is found. Shown in the answer if it is an integer, or a string of up to 128 letters,
   * digits and `_ . : / = + @ -`; anything else is left out. Default: `req.id`
   */
  requestId?: (req: IncomingMessage) => unknown
  /**
   * Turns errors of your libraries into errors for clients: return an `AppError`, or `undefined` to leave it to the
   * built-in rules. What is recorded stays the original. If it throws, that counts as `undefined`, and is recorded as a
   * failure of its own. Default none
   */
  translate?: (error: unknown, req: IncomingMessage) => unknown
}

/** What `errorHandler` does unless told otherwise. */
export const errorHandlerDefaults: { readonly requestId: (req: IncomingMessage) => unknown } = Object.freeze({
  requestId: (req: IncomingMessage) => property(req, 'id'),
})

/** @throws {InvalidOption} */
export function resolveErrorHandlerOptions(
  given: ErrorHandlerOptions | undefined,
): Readonly<ResolvedOptions<ErrorHandlerOptions, typeof errorHandlerDefaults>> {
  return resolveOptions('errorHandler', given, {
    checks: { requestId: func, translate: func },
    defaults: errorHandlerDefaults,
  })
}

/** Options of `onFatal`. */
export interface FatalOptions {
  /**
   * Stops accepting work and ends what is under way. It may return a promise; the process ends when that settles.
   * Default: nothing, the process ends as soon as the error is recorded
   */
  drain?: (error: unknown) => unknown
  /** How long `drain` may take, in ms; then the process ends without it. Default 10,000 */
  timeoutMs?: number
  /**
   * Records the error. It must have written when it returns: the process may be gone in the next tick. Give the
   * synchronous write of your logger. Default: the stack, and those of its
   * causes and members, to stderr
   */
  record?: (message: FatalMessage) => void
}

/** What `onFatal` does unless told otherwise. */
export const fatalDefaults: Readonly<Required<FatalOptions>> = Object.freeze({
  drain: () => undefined,
  timeoutMs: 10_000,
  record: ({ error, origin }: FatalMessage) =>
    writeToStderr(`Fatal error (${origin}): ${errorText(error)}\n`),
})

/** @throws {InvalidOption} */
export function resolveFatalOptions(given: FatalOptions | undefined): Readonly<Required<FatalOptions>> {
  return resolveOptions('onFatal', given, {
    checks: { drain: func, timeoutMs: durationMs(), record: func },
    defaults: fatalDefaults,
  })
}
