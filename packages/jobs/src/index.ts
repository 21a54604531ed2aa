export { type RelayMessage, type RunMessage, relayChannel, runChannel } from './channels.js'
export { InvalidJob, JobRefused, QueueClosed } from './errors.js'
export type { QueueOptions, RelayOptions, WorkOptions } from './options.js'
export { type Outbox, type OutboxJob, outbox, outboxTable } from './outbox/outbox.js'
export type { Relay } from './outbox/relay.js'
export type { SqlQuery } from './outbox/sql.js'
export {
  type DeadJob,
  type JobInput,
  type JobOutput,
  type JobQueue,
  type QueueWorker,
  queue,
  type Run,
} from './queue.js'
export type { JobCounts, Times } from './store.js'
