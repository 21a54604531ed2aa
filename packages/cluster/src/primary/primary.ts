import cluster from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { type HealthSource, startAdmin } from '../admin/admin.js'
import type { Emit, WorkerState } from '../events.js'
import type { Heartbeat } from '../messages.js'
import type { ResolvedClusterOptions } from '../options.js'
import type { StopSignal } from '../process/app-signals.js'
import { heapFlags, type WorkerDecision } from '../process/decision.js'
import { exitCodes } from '../process/exit-codes.js'
import { onOrder, onStopOrder, terminalClosed } from '../process/signals.js'
import type { CheckState } from '../worker/health.js'
import type { LifecycleRegistry } from '../worker/lifecycle.js'
import { readiness } from './narration.js'
import { type ReloadReport, reload } from './reload.js'
import { Supervisor } from './supervisor.js'

/** One worker process, for people and dashboards. */
export interface WorkerStatus {
  workerId: number
  pid: number | undefined
  state: WorkerState
  startedAt: number
  /** The last it said of itself. */
  heartbeat: Heartbeat | undefined
}

/** When a worker stops accepting if its primary does not say so. */
const REFUSE_AT_LAST_MS = 3_000

/** The process that owns the listening socket: answers probes and orders, and ends all workers. */
export class Primary {
  private readonly supervisor: Supervisor
  private stopped: Promise<never> | undefined
  private running: Promise<ReloadReport> | undefined
  private queued: Promise<ReloadReport> | undefined
  private url: string | undefined
  private wasReady = false
  private isStopping = false

  constructor(
    private readonly options: ResolvedClusterOptions,
    private readonly decision: WorkerDecision,
    private readonly prepared: LifecycleRegistry,
    env: Record<string, string>,
    private readonly emit: Emit,
  ) {
    this.supervisor = new Supervisor(options, env, decision.resources.memoryBytes, {
      emit,
      onGiveUp: (code) => this.giveUp(code),
      onChange: () => this.tellReadiness(),
    })
  }

  get adminUrl(): string | undefined {
    return this.url
  }

  /** Draining processes included. */
  get workers(): WorkerStatus[] {
    return [...this.supervisor.members].map(({ placeId, pid, state, startedAt, heartbeat }) => ({
      workerId: placeId,
      pid,
      state,
      startedAt,
      heartbeat,
    }))
  }

  /** Forks all workers; resolves when all have been ready. */
  async start(): Promise<void> {
    // Round-robin: this process owns the listening socket, so a worker can go without losing what queues on it.
    cluster.schedulingPolicy = cluster.SCHED_RR
    const flags = heapFlags(this.decision, [...process.execArgv, process.env.NODE_OPTIONS ?? ''])
    cluster.setupPrimary({ execArgv: [...process.execArgv, ...flags] })
    const admin = this.options.admin && (await startAdmin(this.options.admin, () => this.health()))
    this.url = admin?.url
    const { decision } = this
    const message = `${decision.workers} workers (${[decision.reason, ...flags].join(', ')}), primary pid ${process.pid}`
    onStopOrder(
      (order, signal) => void this.stop(order, signal),
      () => this.killAll(exitCodes.forced),
    )
    onOrder('SIGHUP', () => {
      if (terminalClosed()) void this.stop('the terminal was closed')
      // How it ended is an event.
      else this.reload().catch(() => {})
    })
    onOrder('SIGTTIN', () => void this.scale((workers) => workers + 1))
    onOrder('SIGTTOU', () => void this.scale((workers) => Math.max(1, workers - 1)))
    // Whoever reads it may order from then on.
    this.emit({ type: 'decided', level: 'info', message, decision, adminUrl: this.url })
    this.supervisor.addPlaces(decision.workers)
    const startedAt = performance.now()
    await this.supervisor.booted
    const tookMs = performance.now() - startedAt
    const ready = `${decision.workers} workers ready in ${Math.round(tookMs)} ms`
    this.emit({ type: 'ready', level: 'info', message: ready, tookMs })
  }

  /** One at a time. While one runs, all that ask share the one after it. */
  reload(): Promise<ReloadReport> {
    if (this.running === undefined) {
      this.running = this.supervisor
        .inTurn(() => reload(this.supervisor, this.options.reload.canaryMs, this.emit))
        .finally(() => {
          this.running = undefined
        })
      return this.running
    }
    this.queued ??= this.running
      .catch(() => {})
      .then(() => {
        this.queued = undefined
        return this.reload()
      })
    return this.queued
  }

  /** @param wanted  from how many there are to how many there should be */
  scale(wanted: (workers: number) => number): Promise<void> {
    return this.supervisor.scale(wanted)
  }

  /** Drains every worker, then this process, and ends it. */
  stop(reason: string, signal?: StopSignal): Promise<never> {
    this.stopped ??= this.end(reason, exitCodes.drained, this.options.drain.delayMs, signal)
    return this.stopped
  }

  private giveUp(code: number): void {
    const reason = 'the app does not start'
    this.stopped ??= this.end(reason, code, 0)
  }

  private async end(reason: string, cleanCode: number, delayMs: number, signal?: StopSignal): Promise<never> {
    const { supervisor } = this
    const level = cleanCode === exitCodes.drained ? 'info' : 'error'
    this.emit({ type: 'stopping', level, message: `${reason}: draining`, reason })
    this.isStopping = true
    supervisor.halt()
    this.tellReadiness()
    this.prepared.beginDrain()
    const { timeoutMs } = this.options.drain
    const deadline = performance.now() + timeoutMs
    const draining = [...supervisor.members].map((member) =>
      member.drain(delayMs + REFUSE_AT_LAST_MS, timeoutMs, signal),
    )
    await Promise.race([sleep(delayMs), Promise.all(draining)])
    // First the sockets, then the workers: what was accepted finds somebody to take it.
    await supervisor.distribution.close()
    for (const member of supervisor.members) member.refuse()
    const codes = await Promise.all(draining)
    const hooks = await this.prepared.stop(Math.max(1_000, deadline - performance.now()))
    const clean = codes.every((code) => code === exitCodes.drained) && hooks.failed.length === 0
    return process.exit(clean ? cleanCode : cleanCode || exitCodes.forced)
  }

  private killAll(code: number): never {
    for (const member of this.supervisor.members) member.kill('was ended by a second signal')
    return process.exit(code)
  }

  private tellReadiness(): void {
    const health = this.health()
    if (health.ready === this.wasReady) return
    this.wasReady = health.ready
    this.emit(readiness(health))
  }

  private health(): HealthSource {
    const { places, members, isBooted } = this.supervisor
    const { isStopping } = this
    const ready = [...members].filter(({ state }) => state === 'ready')
    const able = ready.filter(({ healthy }) => healthy).length
    const needed = Math.max(1, Math.ceil(places.length * this.options.minReadyRatio))
    // Before the first is ready, what the start waits for.
    const seen = ready.length > 0 ? ready : [...members].filter(({ state }) => state !== 'draining')
    const checks = worstOf(seen.map((member) => member.checks))
    const reasons: string[] = []
    if (isStopping) reasons.push('draining')
    else if (!isBooted) reasons.push('starting')
    else if (ready.length < places.length) reasons.push('workers')
    if (places.some(({ isHeld }) => isHeld)) reasons.push('breaker')
    if (checks.some(({ ok }) => !ok)) reasons.push('dependencies')
    return { started: isBooted, ready: isBooted && !isStopping && able >= needed, reasons, checks }
  }
}

/** A dependency is up when every worker that speaks of it reaches it. */
function worstOf(reports: CheckState[][]): CheckState[] {
  const worst = new Map<string, CheckState>()
  for (const check of reports.flat()) {
    if (worst.get(check.name)?.ok !== false) worst.set(check.name, check)
  }
  return [...worst.values()]
}
