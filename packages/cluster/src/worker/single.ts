import { type HealthSource, startAdmin } from '../admin/admin.js'
import type { Emit } from '../events.js'
import type { ResolvedClusterOptions } from '../options.js'
import { checked, readiness } from '../primary/narration.js'
import type { StopSignal } from '../process/app-signals.js'
import type { WorkerDecision } from '../process/decision.js'
import { exitCodes } from '../process/exit-codes.js'
import { exitCodeOf, onUncaught, writeError } from '../process/fatal.js'
import { onOrder, onStopOrder, terminalClosed } from '../process/signals.js'
import type { CheckState } from './health.js'
import type { LifecycleRegistry } from './lifecycle.js'
import { describeEnd, ServingProcess } from './serving.js'

/** One worker: no cluster module, no second process; app, probes and signals live together. */
export async function runSingle(
  options: ResolvedClusterOptions,
  decision: WorkerDecision,
  prepared: LifecycleRegistry,
  emit: Emit,
): Promise<{ adminUrl: string | undefined; stop: () => Promise<void> }> {
  let state: 'starting' | 'ready' | 'draining' = 'starting'
  let told: CheckState[] = []
  let wasReady = false
  const tellReadiness = (): void => {
    const now = health()
    if (now.ready !== wasReady) emit(readiness(now))
    wasReady = now.ready
  }
  const serving = new ServingProcess(
    options,
    () => {
      const checks = serving.health.report()
      for (const event of checked(1, told, checks)) emit(event)
      told = checks
      tellReadiness()
    },
    (message) => emit({ type: 'warning', level: 'warn', message, workerId: 1 }),
  )
  const health = (): HealthSource => {
    const checks = serving.health.report()
    const down = checks.filter(({ ok }) => !ok)
    const isReady = state === 'ready' && down.every(({ required }) => !required)
    const reasons = state === 'ready' ? (down.length > 0 ? ['dependencies'] : []) : [state]
    return { started: state !== 'starting', ready: isReady, reasons, checks }
  }

  let status: number = exitCodes.drained
  /** A failure while it drains changes how it ends, not when. */
  const end = async (code: number, delayMs: number, signal: StopSignal = 'SIGTERM'): Promise<void> => {
    status ||= code
    if (state === 'draining') return
    state = 'draining'
    tellReadiness()
    const { timeoutMs } = options.drain
    const deadline = performance.now() + timeoutMs
    // Everything before its time is up is waited for by a timer that holds the process.
    setTimeout(() => process.exit(status || exitCodes.forced), timeoutMs + 1_000).unref()
    const report = await serving.drain(signal, delayMs, timeoutMs)
    const hooks = await prepared.stop(Math.max(100, deadline - performance.now()))
    const clean = report.clean && hooks.failed.length === 0
    emit({
      type: 'drained',
      level: clean ? 'info' : 'warn',
      message: describeEnd(report),
      workerId: 1,
      report,
    })
    process.exit(status || (clean ? exitCodes.drained : exitCodes.forced))
  }
  const stop = (reason: string, signal?: StopSignal): Promise<void> => {
    emit({ type: 'stopping', level: 'info', message: `${reason}: draining`, reason })
    return end(exitCodes.drained, options.drain.delayMs, signal)
  }

  onStopOrder(
    (order, signal) => void stop(order, signal),
    () => process.exit(exitCodes.forced),
  )
  onOrder('SIGHUP', () => {
    if (terminalClosed()) return void stop('the terminal was closed')
    const message = 'SIGHUP: one process alone cannot be reloaded; start another and stop this one'
    emit({ type: 'warning', level: 'warn', message, workerId: 1 })
  })
  onUncaught(() => void end(exitCodes.uncaught, 0))
  const admin = options.admin && (await startAdmin(options.admin, health))
  emit({ type: 'decided', level: 'info', message: singleLine(decision), decision, adminUrl: admin?.url })
  const startedAt = performance.now()
  const giveUp = setTimeout(() => {
    writeError(`runCluster: not ready after ${options.bootTimeoutMs} ms`)
    void end(exitCodes.uncaught, 0)
  }, options.bootTimeoutMs)
  try {
    await serving.boot({ workerId: 1, workers: 1 }, () => {})
    clearTimeout(giveUp)
    if (state === 'starting') state = 'ready'
    tellReadiness()
    const tookMs = performance.now() - startedAt
    emit({ type: 'ready', level: 'info', message: `ready in ${Math.round(tookMs)} ms`, tookMs })
    // pm2 with `wait_ready` waits for this word.
    process.send?.('ready')
  } catch (error) {
    writeError(error)
    await end(exitCodeOf(error), 0)
  }
  return { adminUrl: admin?.url, stop: () => stop('stop()') }
}

function singleLine({ reason }: WorkerDecision): string {
  return `1 process without the cluster module (${reason}), pid ${process.pid}`
}
