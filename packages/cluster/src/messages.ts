import type { StopSignal } from './process/app-signals.js'
import type { CheckState } from './worker/health.js'
import type { EndReport } from './worker/serving.js'

/** How a worker is, said by itself at a fixed interval. */
export interface Heartbeat {
  /** Share of time that the event loop was busy since the last heartbeat, 0–1. */
  loopUtilizationRatio: number
  /** Longest and 99th-percentile delay of the event loop since the last heartbeat, in ms. */
  loopDelayMaxMs: number
  loopDelayP99Ms: number
  heapUsedBytes: number
  rssBytes: number
  /** Requests whose answer is not finished. */
  inFlight: number
  /** Open connections. */
  connections: number
  /** Requests since the worker started. */
  requests: number
}

/** What a worker tells its primary. The primary never waits for an answer of a worker: a stuck one gives none. */
export type FromWorker =
  /** It loads no more: it hears what it is told. */
  | { type: 'here' }
  | { type: 'listening' }
  | { type: 'ready'; checks: CheckState[] }
  | { type: 'health'; ok: boolean; checks: CheckState[] }
  | { type: 'heartbeat'; heartbeat: Heartbeat }
  /** The worker alone was asked to end: it goes on until its replacement is ready. */
  | { type: 'stop-asked'; reason: string }
  /** The app hears a signal to end itself: it takes no more work. */
  | { type: 'leaving'; reason: string }
  /** An uncaught error: it takes no more work. */
  | { type: 'failing' }
  | { type: 'warning'; message: string }
  | { type: 'drained'; report: EndReport }

/** What the primary tells a worker. */
export type FromPrimary =
  /** `signal` is what the app hears, if it listens for it. */
  | { type: 'drain'; signal: StopSignal; delayMs: number; timeoutMs: number }
  /** Nothing more will be handed to the worker: it may stop accepting before its delay is over. */
  | { type: 'refuse' }

/** Other messages travel on the same pipe: ours are wrapped. */
const envelope = '@scale/cluster'

export function wrap(message: FromWorker | FromPrimary): Record<string, unknown> {
  return { [envelope]: message }
}

export function unwrap<Message extends FromWorker | FromPrimary>(raw: unknown): Message | undefined {
  return typeof raw === 'object' && raw !== null
    ? ((raw as Record<string, unknown>)[envelope] as Message)
    : undefined
}
