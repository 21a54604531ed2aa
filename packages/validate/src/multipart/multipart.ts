import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import { publishRejected } from '../request/rejection.js'
import { MultipartRefused } from './errors.js'
import { Form } from './form.js'
import { type MultipartOptions, resolveMultipartRules } from './options.js'
import { readForm } from './read-form.js'

/** The middleware that `multipart` returns. */
export type MultipartMiddleware = (req: IncomingMessage, res: ServerResponse, next: Next) => void

/**
 * Reads a body of type `multipart/form-data` into `req.body`: each field as a string, or as an array if it comes more
 * than once; each file as an `UploadedFile` once `store` has it. Other bodies pass by untouched.
 *
 * Files are streamed: size, type and number are checked while they come, and reading stops at the first that does not fit.
 *
 * @throws {InvalidOption} an option is unknown, missing or wrong
 * @see docs/concepts/validation.md
 */
export function multipart<Stored>(options: MultipartOptions<Stored>): MultipartMiddleware {
  const rules = resolveMultipartRules(options)

  return function multipart(req, res, next) {
    if (!/^multipart\/form-data\b/i.test(req.headers['content-type'] ?? '')) return next()
    const form = new Form(rules)
    readForm(req, form, rules).then(
      () => {
        res.once('close', () => {
          if (!res.writableFinished || res.statusCode >= 400) form.removeStored()
        })
        ;(req as { body?: unknown }).body = form.body
        next()
      },
      (error) => {
        form.removeStored()
        if (error instanceof MultipartRefused) publishRejected(req, error)
        next(error)
      },
    )
  }
}
