import { type Channel, channel } from '@scale/core'
import type { Heartbeat } from './messages.js'
import type { WorkerDecision } from './process/decision.js'
import type { CheckState } from './worker/health.js'
import type { EndReport } from './worker/serving.js'

/** A worker's life. `ready` is what the worker says of itself after its start-up
 * checks; one that replaces another is `canary` until the old one is told to go. */
export type WorkerState = 'booting' | 'listening' | 'canary' | 'ready' | 'draining' | 'exited'

interface Line {
  level: 'debug' | 'info' | 'warn' | 'error'
  /** One sentence for a person. */
  message: string
}

/** The number of workers was decided. The first event of all. */
export interface DecidedEvent extends Line {
  type: 'decided'
  decision: WorkerDecision
  /** Of the admin server, if there is one. */
  adminUrl: string | undefined
}

/** Every worker, or the only process, has been ready. */
export interface ReadyEvent extends Line {
  type: 'ready'
  tookMs: number
}

/** A worker changed its state. */
export interface WorkerEvent extends Line {
  type: 'worker'
  workerId: number
  pid: number | undefined
  state: WorkerState
  /** With `exited`, unless a signal ended it. */
  code: number | null
  /** With `exited`, if a signal ended it. */
  signal: string | null
}

/** A worker ended that was not asked to; it is started again after `delayMs`. */
export interface RespawnEvent extends Line {
  type: 'respawn'
  workerId: number
  /** Whether it had been ready. */
  during: 'boot' | 'run'
  /** Consecutive failures of this place, this one included. */
  failures: number
  delayMs: number
}

/** The process, or all workers, were asked to end. */
export interface StoppingEvent extends Line {
  type: 'stopping'
  reason: string
}

/** A serving process has drained. */
export interface DrainedEvent extends Line {
  type: 'drained'
  workerId: number
  report: EndReport
}

/** A place failed too often and stays empty for a while, or is filled again. */
export interface BreakerEvent extends Line {
  type: 'breaker'
  workerId: number
  state: 'open' | 'closed'
}

/** A worker that is well is replaced: for its age, its requests, its memory, or because it was asked to end. */
export interface RecycleEvent extends Line {
  type: 'recycle'
  workerId: number
  reason: string
}

/** A rolling reload began or ended. */
export interface ReloadEvent extends Line {
  type: 'reload'
  state: 'started' | 'done' | 'failed'
  replaced?: number
  tookMs?: number
}

/** The number of workers was changed while they run. */
export interface ScaledEvent extends Line {
  type: 'scaled'
  workers: number
}

/** A worker says how it is. */
export interface HeartbeatEvent extends Line {
  type: 'heartbeat'
  workerId: number
  heartbeat: Heartbeat
}

/** A dependency of a worker went down or came back, or a start waits for one. */
export interface CheckEvent extends Line {
  type: 'check'
  workerId: number
  check: CheckState
}

/** `/readyz` of this copy changed its answer. */
export interface ReadinessEvent extends Line {
  type: 'readiness'
  ready: boolean
  /** As `/readyz` says them. */
  reasons: string[]
  /** Dependencies that are down, with the codes of their errors. */
  down: CheckState[]
}

/** Something that a person should look at. */
export interface WarningEvent extends Line {
  type: 'warning'
  workerId: number
}

/** Everything that runCluster reports; each type is also a channel, `scale:cluster:<type>`. */
export type ClusterEvent =
  | DecidedEvent
  | ReadyEvent
  | WorkerEvent
  | RespawnEvent
  | BreakerEvent
  | RecycleEvent
  | ReloadEvent
  | ScaledEvent
  | HeartbeatEvent
  | CheckEvent
  | ReadinessEvent
  | WarningEvent
  | StoppingEvent
  | DrainedEvent

const channels: { [Type in ClusterEvent['type']]: Channel<Extract<ClusterEvent, { type: Type }>> } = {
  decided: channel('scale:cluster:decided'),
  ready: channel('scale:cluster:ready'),
  worker: channel('scale:cluster:worker'),
  respawn: channel('scale:cluster:respawn'),
  breaker: channel('scale:cluster:breaker'),
  recycle: channel('scale:cluster:recycle'),
  reload: channel('scale:cluster:reload'),
  scaled: channel('scale:cluster:scaled'),
  heartbeat: channel('scale:cluster:heartbeat'),
  check: channel('scale:cluster:check'),
  readiness: channel('scale:cluster:readiness'),
  warning: channel('scale:cluster:warning'),
  stopping: channel('scale:cluster:stopping'),
  drained: channel('scale:cluster:drained'),
}

export type Emit = (event: ClusterEvent) => void

/** Publishes each event on its channel and hands it to the app's sink and to systemd. */
export function emitter(...sinks: ((event: ClusterEvent) => void)[]): Emit {
  return (event) => {
    ;(channels[event.type] as Channel<ClusterEvent>).publish(event)
    for (const sink of sinks) sink(event)
  }
}
