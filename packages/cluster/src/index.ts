export type { AdminHandler, AdminOptions } from './admin.js'
export { ConnectionTracker, type OpenConnection, trackConnections } from './connections.js'
export { decideWorkers, type WorkerDecision } from './decision.js'
export { type DrainOptions, type DrainReport, drain } from './drain.js'
export { AdminNotListening, NoServer } from './errors.js'
export type {
  ClusterEvent,
  DecidedEvent,
  DrainedEvent,
  RespawnEvent,
  StoppingEvent,
  WorkerEvent,
  WorkerState,
} from './events.js'
export { exitCodes } from './exit-codes.js'
export type { CheckState, HealthOptions } from './health.js'
export {
  type FailedHook,
  type Lifecycle,
  type LifecycleResource,
  type Phase,
  phases,
  type StopReport,
} from './lifecycle.js'
export type {
  ClusterOptions,
  DrainTimings,
  PrepareContext,
  Prepared,
  RespawnOptions,
  StartContext,
} from './options.js'
export { type Resources, resources } from './resources.js'
export { type RunningCluster, runCluster } from './run-cluster.js'
export type { EndReport } from './serving.js'
