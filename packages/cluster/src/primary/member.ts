import type { ChildProcess } from 'node:child_process'
import type { Worker } from 'node:cluster'
import type { WorkerState } from '../events.js'
import { type FromPrimary, type FromWorker, type Heartbeat, unwrap, wrap } from '../messages.js'
import type { StopSignal } from '../process/app-signals.js'
import { exitCodes } from '../process/exit-codes.js'
import type { CheckState } from '../worker/health.js'

/** How a worker process ended. */
export interface Exit {
  code: number | null
  signal: string | null
  /** If it could not even be started: why. */
  error?: string
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
  /** The checks that have been told. */
  told: CheckState[] = []
  heartbeat: Heartbeat | undefined
  /** `performance.now()` of the last message. */
  heardAt: number = performance.now()
  readonly startedAt: number = Date.now()
  /** Why it was killed or asked to end, if it was. */
  endReason: string | undefined
  /** Resolves when ready; rejects, with a sentence, if it ends before. */
  readonly ready: Promise<void>
  readonly exited: Promise<Exit>
  /** Takes connections while it drains: until `refuse`. */
  private isAccepting = false
  /** Told to drain before it could hear anything. */
  private order: FromPrimary | undefined
  private isHere = false
  private readonly isCanary: boolean
  /** `undefined` if the process could not be started. */
  private readonly worker: Worker | undefined
  private readonly onStateChange: (member: Member) => void

  constructor(
    readonly placeId: number,
    fork: () => Worker,
    options: {
      bootTimeoutMs: number
      /** It replaces another, which goes on until this one has proved itself. */
      isCanary: boolean
      onState: (member: Member) => void
      onMessage: (member: Member, message: FromWorker) => void
    },
  ) {
    this.onStateChange = options.onState
    this.isCanary = options.isCanary
    let failure: NodeJS.ErrnoException = new Error()
    try {
      this.worker = fork()
    } catch (error) {
      failure = error as NodeJS.ErrnoException
    }
    const { worker } = this
    this.exited = new Promise((resolve) => {
      const couldNotStart = (error: NodeJS.ErrnoException): void => {
        this.enter('exited')
        resolve({ code: null, signal: null, error: error.code ?? error.message })
      }
      // Whoever waits for it must have it first.
      if (worker === undefined) setImmediate(couldNotStart, failure)
      worker?.once('exit', (code, signal) => {
        this.enter('exited')
        resolve({ code: signal === null ? code : null, signal })
      })
      worker?.on('error', (error: NodeJS.ErrnoException) => {
        // A pipe that breaks shows here as well; then the worker's end is what counts.
        if (this.pid === undefined) couldNotStart(error)
      })
    })
    this.ready = this.untilReady(options.bootTimeoutMs)
    // Whoever waits for it handles it; nobody has to.
    this.ready.catch(() => {})
    worker?.on('message', (raw) => {
      const message = unwrap<FromWorker>(raw)
      if (message === undefined) return
      this.note(message)
      options.onMessage(this, message)
    })
  }

  get pid(): number | undefined {
    return this.process?.pid
  }

  get process(): ChildProcess | undefined {
    return this.worker?.process
  }

  /** Whom connections go to first; `undefined` while it is not ready, and once it has to go. */
  get rank(): number | undefined {
    if (this.state === 'ready' || this.state === 'canary') return this.healthy ? 0 : 1
    return this.state === 'draining' && this.isAccepting ? 2 : undefined
  }

  get hasExited(): boolean {
    return this.state === 'exited'
  }

  /** Asks the worker to drain, and kills it when it does not end in time. @returns its status; 1 if by a signal */
  async drain(delayMs: number, timeoutMs: number, signal: StopSignal = 'SIGTERM'): Promise<number> {
    if (!this.hasExited) {
      this.isAccepting = delayMs > 0 && this.wasReady
      this.enter('draining')
      this.order = { type: 'drain', signal, delayMs, timeoutMs }
      // While it loads its imports it has nothing to lose and hears nothing but signals.
      if (this.isHere) this.send(this.order)
      else this.process?.kill('SIGTERM')
    }
    this.killAfter(timeoutMs)
    const { code, signal: endedBy } = await this.exited
    if (endedBy === 'SIGTERM' && !this.isHere) return exitCodes.drained
    return code ?? exitCodes.forced
  }

  /** Lets a draining worker stop accepting. */
  refuse(): void {
    this.isAccepting = false
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
    this.process?.kill('SIGKILL')
  }

  enter(state: WorkerState): void {
    if (this.state === state || this.hasExited) return
    this.state = state
    this.onStateChange(this)
  }

  private send(message: FromPrimary): void {
    // A worker that is just ending cannot be told anything; its end is told by its process.
    if (this.worker?.isConnected()) this.worker.send(wrap(message), () => {})
  }

  private note(message: FromWorker): void {
    this.heardAt = performance.now()
    switch (message.type) {
      case 'here':
        this.isHere = true
        if (this.order !== undefined) this.send(this.order)
        break
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
      case 'leaving':
      case 'failing':
        this.enter('draining')
    }
  }

  /** Which required dependencies it waits for. */
  private missing(): string {
    const down = this.checks.filter(({ ok, required }) => required && !ok)
    return down.length === 0
      ? ''
      : `: ${down.map(({ name, error }) => `${name} is down (${error})`).join(', ')}`
  }

  private untilReady(bootTimeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.kill(`was not ready after ${bootTimeoutMs} ms${this.missing()}`),
        bootTimeoutMs,
      )
      this.worker?.on('message', (raw) => {
        if (unwrap<FromWorker>(raw)?.type !== 'ready') return
        clearTimeout(timer)
        this.wasReady = true
        // Asked to drain while it booted: it says so and drains.
        if (this.state !== 'draining') this.enter(this.isCanary ? 'canary' : 'ready')
        resolve()
      })
      void this.exited.then((exit) => {
        clearTimeout(timer)
        reject(
          new Error(`worker ${this.placeId} ${this.endReason ?? describeExit(exit)} before it was ready`),
        )
      })
    })
  }
}

export function describeExit({ code, signal, error }: Exit): string {
  if (error !== undefined) return `could not be started (${error})`
  return signal === null ? `exited with status ${code}` : `was ended by ${signal}`
}
