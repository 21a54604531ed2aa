import { type Channel, channel } from '@scale/core'

/**
 * How a task ended: `ok`; `failed`, it threw; `crashed`, its thread died; `timeout`, it ran until its deadline; `busy`, it
 * did not begin, since too many waited or its time was over; `aborted`, its caller has left; `closed`, the pool is closed.
 */
export type TaskOutcome = 'ok' | 'failed' | 'crashed' | 'timeout' | 'busy' | 'aborted' | 'closed'

/** A task is over. */
export interface TaskMessage {
  /** Name of the pool. */
  pool: string
  /** Name of the task. */
  task: string
  outcome: TaskOutcome
  /** Until it began, or was given up, ms. */
  waitedMs: number
  /** From its beginning, ms; 0 if it did not begin. */
  durationMs: number
}

/** A thread is ready for tasks, was stopped together with its task, or has died. */
export interface ThreadMessage {
  /** Name of the pool. */
  pool: string
  /** Place of the thread in the pool, from 0; whoever replaces it has the same. */
  thread: number
  event: 'ready' | 'stopped' | 'died'
  /** Why it died. */
  error: unknown
}

/** How busy a thread was since the last message. */
export interface UtilizationMessage {
  /** Name of the pool. */
  pool: string
  thread: number
  /** Share of the time that its event loop was busy, 0 to 1. */
  utilization: number
}

/** `scale:workers:task`: one message per task. */
export const taskChannel: Channel<TaskMessage> = channel('scale:workers:task')

/** `scale:workers:thread`: one message per change. */
export const threadChannel: Channel<ThreadMessage> = channel('scale:workers:thread')

/** `scale:workers:utilization`: one message per thread every five seconds. */
export const utilizationChannel: Channel<UtilizationMessage> = channel('scale:workers:utilization')
