import type { HealthSource } from '../admin/admin.js'
import type {
  BreakerEvent,
  CheckEvent,
  DrainedEvent,
  HeartbeatEvent,
  ReadinessEvent,
  RecycleEvent,
  RespawnEvent,
  WarningEvent,
  WorkerEvent,
} from '../events.js'
import type { Heartbeat } from '../messages.js'
import { exitCodes } from '../process/exit-codes.js'
import type { CheckState } from '../worker/health.js'
import { describeEnd, type EndReport } from '../worker/serving.js'
import { describeExit, type Exit, type Member } from './member.js'

// What the supervisor reports, in one sentence each.

export function changed({ placeId: workerId, pid, state }: Member): WorkerEvent {
  const message = `worker ${workerId} (pid ${pid}) ${state}`
  return { type: 'worker', level: 'info', message, workerId, pid, state, code: null, signal: null }
}

export function exited({ placeId: workerId, pid, endReason }: Member, exit: Exit): WorkerEvent {
  const level = exit.code === exitCodes.drained ? 'info' : 'error'
  const why = endReason === undefined ? '' : ` (it ${endReason})`
  const message = `worker ${workerId} (pid ${pid}) ${describeExit(exit)}${why}`
  return { type: 'worker', level, message, workerId, pid, state: 'exited', ...exit }
}

export function beat(workerId: number, heartbeat: Heartbeat): HeartbeatEvent {
  return { type: 'heartbeat', level: 'debug', message: `worker ${workerId} is alive`, workerId, heartbeat }
}

export function warned(workerId: number, what: string): WarningEvent {
  return { type: 'warning', level: 'warn', message: `worker ${workerId}: ${what}`, workerId }
}

/** What has changed of the checks of a worker, each by name and with the reason. */
export function checked(
  workerId: number,
  before: readonly CheckState[],
  now: readonly CheckState[],
): CheckEvent[] {
  return now.filter(isKnown).flatMap((check) => {
    const known = before.find((one) => one.name === check.name && isKnown(one))
    if (check.ok === (known?.ok ?? true)) return []
    const what = check.ok ? 'is up again' : `is down (${check.error ?? 'no reason given'})`
    const level = check.ok ? 'info' : check.required ? 'error' : 'warn'
    const message = `worker ${workerId}: ${check.name} ${what}`
    return [{ type: 'check', level, message, workerId, check }]
  })
}

/** One that is down and has no reason yet has not been asked yet: that is no news. */
function isKnown({ ok, error }: CheckState): boolean {
  return ok || error !== undefined
}

/** `/readyz` gives another answer than before. */
export function readiness({ ready, reasons, checks }: HealthSource): ReadinessEvent {
  const down = checks.filter(({ ok }) => !ok)
  const named = down.map(({ name, error = 'not asked yet' }) => `${name} (${error})`).join(', ')
  const why = [reasons.join(', '), ...(named === '' ? [] : [named])].join(': ')
  const message = ready ? 'this copy is ready' : `this copy is not ready: ${why}`
  // A drain is what somebody asked for.
  const isMeant = ready || reasons.every((reason) => reason === 'draining')
  return { type: 'readiness', level: isMeant ? 'info' : 'warn', message, ready, reasons, down }
}

export function drained(workerId: number, report: EndReport): DrainedEvent {
  const message = `worker ${workerId} ${describeEnd(report)}`
  return { type: 'drained', level: report.clean ? 'info' : 'warn', message, workerId, report }
}

export function recycled(workerId: number, reason: string): RecycleEvent {
  return {
    type: 'recycle',
    level: 'info',
    message: `worker ${workerId} is replaced: ${reason}`,
    workerId,
    reason,
  }
}

export function held(workerId: number, openMs: number): BreakerEvent {
  const message = `worker ${workerId} failed too often; its place stays empty for ${openMs} ms`
  return { type: 'breaker', level: 'error', message, workerId, state: 'open' }
}

export function back(workerId: number): BreakerEvent {
  return { type: 'breaker', level: 'info', message: `worker ${workerId} is back`, workerId, state: 'closed' }
}

export function respawned(
  { placeId: workerId, wasReady }: Member,
  failures: number,
  delayMs: number,
): RespawnEvent {
  const message = `worker ${workerId} starts again in ${delayMs} ms (failure ${failures})`
  const during = wasReady ? 'run' : 'boot'
  return { type: 'respawn', level: 'warn', message, workerId, during, failures, delayMs }
}
