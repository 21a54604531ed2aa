import { ScaleError } from '@scale/core'

/** The task did not begin: too many wait, or it has waited until its deadline. */
export class PoolBusy extends ScaleError {
  constructor(pool: string, cause?: unknown) {
    super(`Too many tasks wait for ${pool}.`, {
      code: 'ERR_SCALE_POOL_BUSY',
      status: 503,
      headers: { 'Retry-After': '1' },
      cause,
    })
  }
}

/** The task ran until its deadline, and its thread was stopped. */
export class TaskTimeout extends ScaleError {
  constructor(pool: string, task: string) {
    super(`${task} of ${pool} took longer than it may.`, { code: 'ERR_SCALE_TASK_TIMEOUT', status: 503 })
  }
}

/** The client whose request this task was for has left, or the caller aborted it. */
export class TaskAborted extends ScaleError {
  constructor(pool: string, task: string, cause?: unknown) {
    super(`${task} of ${pool} was aborted by its caller.`, {
      code: 'ERR_SCALE_TASK_ABORTED',
      status: 499,
      cause,
    })
  }
}

/** The thread died while it ran the task: out of memory, `process.exit`, an error that nothing caught. */
export class TaskCrashed extends ScaleError {
  constructor(pool: string, task: string, cause: unknown) {
    super(`The thread of ${pool} died while it ran ${task}.`, { code: 'ERR_SCALE_TASK_CRASHED', cause })
  }
}

/** A thread could not load its module, or ended before it was ready. */
export class ThreadNotReady extends ScaleError {
  constructor(pool: string, cause: unknown) {
    super(`A thread of ${pool} could not be started.`, { code: 'ERR_SCALE_THREAD_NOT_READY', cause })
  }
}

/** The pool is closed, or was before the task could begin. */
export class PoolClosed extends ScaleError {
  constructor(pool: string) {
    super(`${pool} is closed.`, {
      code: 'ERR_SCALE_POOL_CLOSED',
      status: 503,
      headers: { 'Retry-After': '1' },
    })
  }
}
