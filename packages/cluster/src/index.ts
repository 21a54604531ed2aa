export type { AdminHandler, AdminOptions } from './admin/admin.js'
export { type ConnectionTracker, type OpenConnection, trackConnections } from './drain/connections.js'
export { type DrainOptions, type DrainReport, drain } from './drain/drain.js'
export { AdminNotListening, ControlFailed, NoServer, NotPrimary, ReloadFailed } from './errors.js'
export type {
  BreakerEvent,
  CheckEvent,
  ClusterEvent,
  DecidedEvent,
  DrainedEvent,
  HeartbeatEvent,
  ReadinessEvent,
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
export type { Heartbeat } from './messages.js'
export type {
  ClusterDrainOptions,
  ClusterOptions,
  PrepareContext,
  Prepared,
  StartContext,
} from './options.js'
export type { BreakerOptions, RespawnOptions } from './primary/crash-policy.js'
export type { WorkerStatus } from './primary/primary.js'
export type { RecycleOptions } from './primary/recycle.js'
export type { ReloadOptions, ReloadReport } from './primary/reload.js'
export { decideWorkers, type WorkerDecision } from './process/decision.js'
export { exitCodes } from './process/exit-codes.js'
export { type Resources, resources } from './process/resources.js'
export { type RunningCluster, runCluster } from './run-cluster.js'
export type { CheckState, HealthOptions } from './worker/health.js'
export {
  type FailedHook,
  type Lifecycle,
  type LifecycleResource,
  type Phase,
  phases,
  type StopReport,
} from './worker/lifecycle.js'
export type { WatchdogOptions } from './worker/pulse.js'
export type { EndReport } from './worker/serving.js'
