import { ScaleError, type SchemaIssue } from '@scale/core'

/** What was to be added is no job of this queue. */
export class InvalidJob extends ScaleError {
  readonly issues: readonly SchemaIssue[]

  /** @param problem  what is wrong with it, without a value of it */
  constructor(queue: string, problem: string, issues: readonly SchemaIssue[] = []) {
    super(`A job of ${queue} is not as its schema says: ${problem}.`, { code: 'ERR_SCALE_INVALID_JOB' })
    this.issues = issues
  }
}

/** Thrown by whoever runs a job, when no repetition can help: the job is dead at once. */
export class JobRefused extends ScaleError {
  constructor(message: string, cause?: unknown) {
    super(message, { code: 'ERR_SCALE_JOB_REFUSED', cause })
  }
}

/** The queue is closed. */
export class QueueClosed extends ScaleError {
  constructor(queue: string) {
    super(`The queue ${queue} is closed.`, {
      code: 'ERR_SCALE_QUEUE_CLOSED',
      status: 503,
      headers: { 'Retry-After': '1' },
    })
  }
}
