import cluster, { type Worker } from 'node:cluster'
import type { WorkerState } from '../events.js'
import { type FromPrimary, type FromWorker, type Heartbeat, unwrap, wrap } from '../messages.js'
import { exitCodes } from '../process/exit-codes.js'
import type { CheckState } from '../worker/health.js'
import { takeBackOnDeath } from './handover.js'

/** How a worker process ended. */
export interface Exit {
  code: number | null
  signal: string | null
}

/** After a worker's own time is over, how long until it is killed from outside. */
const KILL_AFTER_MS = 2_000

/**
 * One worker process, as the primary sees it. It keeps account of the state and knows no policy.
 *
 * Node forgets a worker that disconnects (`cluster.workers`); a member lives until its process has ended.
 */
export class Member {
  state: WorkerState = 'booting'
  /** Whether it has ever been ready. */
  wasReady = false
  /** Whether every required dependency is up, by its own word. */
  healthy = true
  checks: CheckState[] = []
  heartbeat: Heartbeat | undefined
  /** `performance.now()` of the last message. */
  heardAt: number = performance.now()
  readonly startedAt: number = Date.now()
  /** Why it was killed or asked to end, if it was. */
  endReason: string | undefined
  /** Resolves when ready; rejects, with a sentence, if it ends before. */
  readonly ready: Promise<void>
  readonly exited: Promise<Exit>
  /** Handed over and not yet taken. */
  readonly connectionsOnTheWay: () => number
  private readonly worker: Worker
  private readonly onStateChange: (member: Member) => void

  constructor(
    readonly slotId: number,
    env: Record<string, string | number>,
    options: {
      bootTimeoutMs: number
      onState: (member: Member) => void
      onMessage: (member: Member, message: FromWorker) => void
    },
  ) {
    this.onStateChange = options.onState
    this.worker = cluster.fork(env)
    this.connectionsOnTheWay = takeBackOnDeath(this.worker)
    // A pipe that breaks shows here; the worker's end is what counts.
    this.worker.on('error', () => {})
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', (code, signal) => {
        this.enter('exited')
        resolve({ code: signal === null ? code : null, signal })
      })
    })
    this.ready = this.untilReady(options.bootTimeoutMs)
    // Whoever waits for it handles it; nobody has to.
    this.ready.catch(() => {})
    this.worker.on('message', (raw) => {
      const message = unwrap<FromWorker>(raw)
      if (message === undefined) return
      this.note(message)
      options.onMessage(this, message)
    })
  }

  get pid(): number | undefined {
    return this.worker.process.pid
  }

  get hasExited(): boolean {
    return this.state === 'exited'
  }

  /** Asks the worker to drain, and kills it when it does not end in time. @returns its status; 1 if by a signal */
  async drain(delayMs: number, timeoutMs: number): Promise<number> {
    if (!this.hasExited) {
      this.enter('draining')
      this.send({ type: 'drain', delayMs, timeoutMs })
    }
    this.killAfter(timeoutMs)
    const { code } = await this.exited
    return code ?? exitCodes.forced
  }

  /** Lets a draining worker stop accepting. */
  refuse(): void {
    this.send({ type: 'refuse' })
  }

  /** Kills the worker when its own time to end is over. */
  killAfter(timeoutMs: number): void {
    const timer = setTimeout(() => this.kill('did not end in time'), timeoutMs + KILL_AFTER_MS)
    void this.exited.then(() => clearTimeout(timer))
  }

  kill(reason: string): void {
    this.endReason ??= reason
    // Also ends a process that was stopped by SIGSTOP.
    this.worker.process.kill('SIGKILL')
  }

  enter(state: WorkerState): void {
    if (this.state === state || this.hasExited) return
    this.state = state
    this.onStateChange(this)
  }

  private send(message: FromPrimary): void {
    // A worker that is just ending cannot be told anything; its end is told by its process.
    if (this.worker.isConnected()) this.worker.send(wrap(message), () => {})
  }

  private note(message: FromWorker): void {
    this.heardAt = performance.now()
    switch (message.type) {
      case 'listening':
        if (this.state === 'booting') this.enter('listening')
        break
      case 'ready':
      case 'health':
        this.checks = message.checks
        this.healthy = message.type === 'ready' || message.ok
        break
      case 'heartbeat':
        this.heartbeat = message.heartbeat
        break
      case 'failing':
        this.enter('draining')
        break
      case 'drained':
        this.send({ type: 'goodbye' })
    }
  }

  private untilReady(bootTimeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.kill(`was not ready after ${bootTimeoutMs} ms`), bootTimeoutMs)
      this.worker.on('message', (raw) => {
        if (unwrap<FromWorker>(raw)?.type !== 'ready') return
        clearTimeout(timer)
        this.wasReady = true
        // Asked to drain while it booted: it says so and drains.
        if (this.state !== 'draining') this.enter('ready')
        resolve()
      })
      void this.exited.then((exit) => {
        clearTimeout(timer)
        reject(new Error(`worker ${this.slotId} ${this.endReason ?? describeExit(exit)} before it was ready`))
      })
    })
  }
}

export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exited with status ${code}` : `was ended by ${signal}`
}
