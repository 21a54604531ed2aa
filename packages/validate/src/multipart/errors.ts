import { ScaleError } from '@scale/core'
import type { Refusal } from '../errors.js'
import type { ReportedIssue } from '../issues/issues.js'
import { pointerTo } from '../issues/pointer.js'
import type { Part } from '../options.js'

/** A multipart body is not well formed (400), has too much of something (413), a file of a wrong type (415) or place (422). */
export class MultipartRefused extends ScaleError implements Refusal {
  readonly parts: readonly Part[] = ['body']
  readonly issues: number = 1
  /** The one issue at which reading stopped. */
  readonly errors: readonly ReportedIssue[]

  /** @param name  of the field; none if it is about the whole body */
  constructor(status: 400 | 413 | 415 | 422, name: string | undefined, detail: string, cause?: unknown) {
    const errors: ReportedIssue[] = [
      { in: 'body', pointer: pointerTo(name === undefined ? [] : [name]), detail },
    ]
    super('The form is not valid: see `errors`.', {
      code: 'ERR_SCALE_VALIDATION_MULTIPART',
      status,
      extensions: { errors },
      cause,
    })
    this.errors = errors
  }
}
