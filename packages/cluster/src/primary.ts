import cluster, { type Worker } from 'node:cluster'
import { type HealthSource, startAdmin } from './admin.js'
import { backoffMs } from './backoff.js'
import type { WorkerDecision } from './decision.js'
import type { Emit, WorkerState } from './events.js'
import { exitCodes } from './exit-codes.js'
import type { CheckState } from './health.js'
import type { LifecycleRegistry } from './lifecycle.js'
import { type FromWorker, unwrap, wrap } from './messages.js'
import type { ResolvedClusterOptions } from './options.js'
import { onStopOrder } from './signals.js'
import { workerIdVariable, workersVariable } from './worker.js'

/** One worker process. Node forgets a worker that disconnects (`cluster.workers`); we keep it until it has ended. */
interface Member {
  readonly worker: Worker
  readonly slot: Slot
  state: WorkerState
  wasReady: boolean
  checks: CheckState[]
  healthy: boolean
  bootTimer?: NodeJS.Timeout
  resetTimer?: NodeJS.Timeout
}

/** A place that should always have one ready worker. */
interface Slot {
  readonly id: number
  /** Consecutive ends without a minute of health between them. */
  failures: number
  respawnTimer?: NodeJS.Timeout
}

/** After a worker's own time is over, how long until it is killed from outside. */
const KILL_AFTER_MS = 2_000

/** Keeps every slot filled, answers probes, and ends all workers. */
export class Primary {
  private readonly members = new Set<Member>()
  private readonly slots: Slot[]
  private started = false
  private stopping = false
  private adminServerUrl: string | undefined

  constructor(
    private readonly options: ResolvedClusterOptions,
    private readonly decision: WorkerDecision,
    private readonly prepared: LifecycleRegistry,
    private readonly env: Record<string, string>,
    private readonly emit: Emit,
  ) {
    this.slots = Array.from({ length: decision.workers }, (_, index) => ({ id: index + 1, failures: 0 }))
  }

  get adminUrl(): string | undefined {
    return this.adminServerUrl
  }

  /** Forks all workers; resolves when all have been ready. */
  async start(): Promise<void> {
    // Round-robin: this process owns the listening socket, so a worker can go without losing what queues on it.
    cluster.schedulingPolicy = cluster.SCHED_RR
    const admin = this.options.admin && (await startAdmin(this.options.admin, () => this.health()))
    this.adminServerUrl = admin?.url
    const { decision } = this
    const message = `${decision.workers} workers (${decision.reason}), primary pid ${process.pid}`
    this.emit({ type: 'decided', level: 'info', message, decision, adminUrl: admin?.url })
    onStopOrder(
      (order) => void this.stop(order),
      () => this.killAll(),
    )
    await new Promise<void>((resolve) => {
      this.onStarted = resolve
      for (const slot of this.slots) this.fork(slot)
    })
  }

  private onStarted: () => void = () => {}

  /** Drains every worker, then this process, and ends it. */
  async stop(reason: string): Promise<void> {
    if (this.stopping) return
    this.stopping = true
    this.emit({ type: 'stopping', level: 'info', message: `${reason}: draining`, reason })
    const { delayMs, timeoutMs } = this.options.drain
    for (const slot of this.slots) clearTimeout(slot.respawnTimer)
    const deadline = performance.now() + timeoutMs
    const codes = await Promise.all([...this.members].map((member) => this.drain(member, delayMs, timeoutMs)))
    const hooks = await this.prepared.stop(Math.max(1_000, deadline - performance.now()))
    const clean = codes.every((code) => code === exitCodes.drained) && hooks.failed.length === 0
    process.exit(clean ? exitCodes.drained : exitCodes.forced)
  }

  private health(): HealthSource {
    const ready = [...this.members].filter(({ state }) => state === 'ready')
    const needed = Math.max(1, Math.ceil(this.slots.length * this.options.minReadyRatio))
    const able = ready.filter(({ healthy }) => healthy).length
    const reasons = [
      ...(this.stopping ? ['draining'] : this.started ? [] : ['starting']),
      ...(ready.length < this.slots.length && !this.stopping ? ['workers'] : []),
      ...(ready.some(({ checks }) => checks.some(({ ok }) => !ok)) ? ['dependencies'] : []),
    ]
    return {
      started: this.started,
      ready: this.started && !this.stopping && able >= needed,
      reasons,
      checks: worstOf(ready.map(({ checks }) => checks)),
    }
  }

  private fork(slot: Slot): Member {
    const worker = cluster.fork({
      ...this.env,
      [workerIdVariable]: slot.id,
      [workersVariable]: this.slots.length,
    })
    const member: Member = { worker, slot, state: 'booting', wasReady: false, checks: [], healthy: true }
    this.members.add(member)
    this.enter(member, 'booting')
    member.bootTimer = setTimeout(() => {
      this.say(member, 'error', `not ready after ${this.options.bootTimeoutMs} ms, killed`)
      worker.process.kill('SIGKILL')
    }, this.options.bootTimeoutMs)
    worker.on('message', (raw) => {
      const message = unwrap<FromWorker>(raw)
      if (message !== undefined) this.onMessage(member, message)
    })
    // A pipe that breaks shows here; the worker's end is what counts.
    worker.on('error', () => {})
    worker.once('exit', (code, signal) => this.onExit(member, code, signal))
    return member
  }

  private onMessage(member: Member, message: FromWorker): void {
    switch (message.type) {
      case 'listening':
        if (member.state === 'booting') this.enter(member, 'listening')
        break
      case 'ready':
        this.onReady(member, message.checks)
        break
      case 'health':
        member.checks = message.checks
        member.healthy = message.ok
        break
      case 'stop-asked':
        if (!this.stopping) void this.drain(member, 0, this.options.drain.timeoutMs)
        break
      case 'failing':
        if (member.state !== 'draining') this.enter(member, 'draining')
        break
      case 'drained': {
        const { connections, hooks } = message
        const clean = connections.forced.length === 0 && hooks.failed.length === 0
        this.emit({
          type: 'drained',
          level: clean ? 'info' : 'warn',
          message: `worker ${member.slot.id} drained${clean ? '' : ', not everything in time'}`,
          workerId: member.slot.id,
          report: { connections, hooks, clean },
        })
      }
    }
  }

  private onReady(member: Member, checks: CheckState[]): void {
    clearTimeout(member.bootTimer)
    member.checks = checks
    member.wasReady = true
    this.enter(member, 'ready')
    member.resetTimer = setTimeout(() => {
      member.slot.failures = 0
    }, this.options.respawn.resetAfterMs)
    member.resetTimer.unref()
    if (this.started) return
    const ready = new Set([...this.members].filter(({ wasReady }) => wasReady).map(({ slot }) => slot))
    if (ready.size < this.slots.length) return
    this.started = true
    this.onStarted()
  }

  private onExit(member: Member, code: number | null, signal: string | null): void {
    clearTimeout(member.bootTimer)
    clearTimeout(member.resetTimer)
    const wasAsked = member.state === 'draining' && code === exitCodes.drained
    member.state = 'exited'
    this.members.delete(member)
    this.emit({
      type: 'worker',
      level: wasAsked ? 'info' : 'error',
      message: `worker ${member.slot.id} exited with ${signal ?? `status ${code}`}`,
      workerId: member.slot.id,
      pid: member.worker.process.pid,
      state: 'exited',
      code,
      signal,
    })
    if (!this.stopping) this.respawn(member, wasAsked)
  }

  private respawn({ slot, wasReady }: Member, wasAsked: boolean): void {
    const delayMs = wasAsked ? 0 : backoffMs(this.options.respawn, slot.failures)
    if (!wasAsked) slot.failures++
    const during = wasReady ? 'run' : 'boot'
    this.emit({
      type: 'respawn',
      level: 'warn',
      message: `worker ${slot.id} starts again in ${delayMs} ms (failure ${slot.failures}, during ${during})`,
      workerId: slot.id,
      during,
      failures: slot.failures,
      delayMs,
    })
    slot.respawnTimer = setTimeout(() => this.fork(slot), delayMs)
  }

  /** Asks a worker to drain; kills it when it does not end in time. Resolves to its status, 1 for a signal. */
  private drain(member: Member, delayMs: number, timeoutMs: number): Promise<number> {
    const { worker } = member
    clearTimeout(member.bootTimer)
    return new Promise((resolve) => {
      const killTimer = setTimeout(() => worker.process.kill('SIGKILL'), timeoutMs + KILL_AFTER_MS)
      worker.once('exit', (code) => {
        clearTimeout(killTimer)
        resolve(code ?? exitCodes.forced)
      })
      this.enter(member, 'draining')
      if (worker.isConnected()) worker.send(wrap({ type: 'drain', delayMs, timeoutMs }), () => {})
    })
  }

  private killAll(): void {
    for (const { worker } of this.members) worker.process.kill('SIGKILL')
    process.exit(exitCodes.forced)
  }

  private enter(member: Member, state: WorkerState): void {
    member.state = state
    this.say(member, 'info', state)
  }

  private say({ slot, worker, state }: Member, level: 'info' | 'error', what: string): void {
    const { pid } = worker.process
    this.emit({
      type: 'worker',
      level,
      message: `worker ${slot.id} (pid ${pid}) ${what}`,
      workerId: slot.id,
      pid,
      state,
    })
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
