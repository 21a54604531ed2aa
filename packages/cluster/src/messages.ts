import type { DrainReport } from './drain.js'
import type { CheckState } from './health.js'
import type { StopReport } from './lifecycle.js'

/** What a worker tells its primary. The primary never waits for an answer of a worker: a stuck one gives none. */
export type FromWorker =
  | { type: 'listening' }
  | { type: 'ready'; checks: CheckState[] }
  | { type: 'health'; ok: boolean; checks: CheckState[] }
  | { type: 'stop-asked' }
  | { type: 'failing' }
  | { type: 'drained'; connections: DrainReport; hooks: StopReport }

/** What the primary tells a worker. */
export type FromPrimary = { type: 'drain'; delayMs: number; timeoutMs: number }

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
