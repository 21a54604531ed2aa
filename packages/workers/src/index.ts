export {
  type TaskMessage,
  type TaskOutcome,
  type ThreadMessage,
  taskChannel,
  threadChannel,
  type UtilizationMessage,
  utilizationChannel,
} from './channels.js'
export { PoolBusy, PoolClosed, TaskAborted, TaskCrashed, TaskTimeout, ThreadNotReady } from './errors.js'
export type { PoolOptions } from './options.js'
export { pool, type TaskContext, type TaskName, type ThreadPool } from './pool.js'
export type { Priority } from './queue/task-queue.js'
export type { TaskOptions } from './task.js'
export type { Transferable } from './threads/thread.js'
