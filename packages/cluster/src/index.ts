export type { AdminHandler, AdminOptions } from './admin.js'
export { type ConnectionTracker, type OpenConnection, trackConnections } from './connections.js'
export type { BreakerOptions, RespawnOptions } from './crash-policy.js'
export { decideWorkers, type WorkerDecision } from './decision.js'
export { type DrainOptions, type DrainReport, drain } from './drain.js'
export { AdminNotListening, ControlFailed, NoServer, NotPrimary, ReloadFailed } from './errors.js'
export type {
  BreakerEvent,
  ClusterEvent,
  DecidedEvent,
  DrainedEvent,
  HeartbeatEvent,
  ReadyEvent,
  RecycleEvent,
  ReloadEvent,
  RespawnEvent,
  ScaledEvent,
  StoppingEvent,
  WarningEvent,
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
export type { Heartbeat } from './messages.js'
export type {
  ClusterDrainOptions,
  ClusterOptions,
  PrepareContext,
  Prepared,
  StartContext,
} from './options.js'
export type { WorkerStatus } from './primary.js'
export type { WatchdogOptions } from './pulse.js'
export type { RecycleOptions } from './recycle.js'
export type { ReloadOptions, ReloadReport } from './reload.js'
export { type Resources, resources } from './resources.js'
export { type RunningCluster, runCluster } from './run-cluster.js'
export type { EndReport } from './serving.js'
