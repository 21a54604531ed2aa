import type { ChildProcess } from 'node:child_process'
import type { Worker } from 'node:cluster'
import { EventEmitter } from 'node:events'
import type { ClusterEvent } from '../src/events.js'
import { type FromPrimary, type FromWorker, type Heartbeat, unwrap, wrap } from '../src/messages.js'
import type { resolveClusterOptions } from '../src/options.js'
import { Supervisor } from '../src/primary/supervisor.js'
import { workerIdVariable } from '../src/worker/worker.js'

// Everything outside a supervisor, invented: processes that do what a test says.

/** What a process does that is told to go. */
export type End = 'obeys' | 'hangs'

/** A process that does what the test says. */
export class InventedProcess extends EventEmitter {
  static pids: number = 0
  isAlive = true
  isHere = false
  isReady = false
  isDraining = false
  readonly process: ChildProcess
  readonly pid: number = ++InventedProcess.pids

  constructor(
    private readonly world: World,
    readonly place: number,
  ) {
    super()
    const child = Object.assign(new EventEmitter(), {
      pid: this.pid,
      send: () => true,
      kill: (signal: string) => {
        if (signal === 'SIGKILL' || !this.isHere) setImmediate(() => this.end(null, signal))
      },
    })
    this.process = child as unknown as ChildProcess
  }

  isConnected(): boolean {
    return this.isAlive
  }

  send(raw: unknown, callback: () => void): boolean {
    if (unwrap<FromPrimary>(raw)?.type === 'drain') {
      this.isDraining = true
      if (this.world.end === 'obeys') setImmediate(() => this.end(0, null))
    }
    callback()
    return true
  }

  says(message: FromWorker): void {
    if (this.isAlive) this.emit('message', wrap(message))
  }

  boots(isWell = true): void {
    this.isHere = true
    this.says({ type: 'here' })
    this.says({ type: 'listening' })
    if (this.isDraining) return
    this.isReady = true
    this.says({ type: 'ready', checks: [] })
    if (!isWell) this.says({ type: 'health', ok: false, checks: [] })
  }

  end(code: number | null, signal: string | null): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.process.emit('disconnect')
    this.emit('exit', code, signal)
  }
}

/** Everything outside the supervisor. */
export class World {
  readonly processes: InventedProcess[] = []
  readonly events: ClusterEvent[] = []
  /** How the next spawns go. */
  spawns: ('throws' | 'fails')[] = []
  end: End = 'obeys'
  bootsAtOnce = false
  gaveUp: number | undefined
  /** The first boot was over by then. */
  gaveUpLate = false
  readonly changes: Promise<unknown>[] = []
  readonly supervisor: Supervisor

  constructor(
    readonly options: ReturnType<typeof resolveClusterOptions>,
    readonly mayScale: boolean,
    memoryBytes?: number,
  ) {
    this.supervisor = new Supervisor(
      options,
      {},
      memoryBytes,
      {
        emit: (event) => this.events.push(event),
        onGiveUp: (code) => {
          this.gaveUp ??= code
          this.gaveUpLate = this.supervisor.isBooted
          this.supervisor.halt()
        },
        onChange: () => {},
      },
      (env) => this.fork(Number(env[workerIdVariable])),
    )
  }

  get alive(): InventedProcess[] {
    return this.processes.filter(({ isAlive }) => isAlive)
  }

  change(promise: Promise<unknown>): void {
    this.changes.push(promise.catch(() => {}))
  }

  private fork(place: number): Worker {
    const spawn = this.spawns.shift()
    if (spawn === 'throws') throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM' })
    const process = new InventedProcess(this, place)
    if (spawn === 'fails') {
      Object.assign(process.process, { pid: undefined })
      process.isAlive = false
      setImmediate(() => process.emit('error', Object.assign(new Error(), { code: 'ENOENT' })))
    } else {
      this.processes.push(process)
      if (this.bootsAtOnce) setImmediate(() => process.boots())
    }
    return process as unknown as Worker
  }
}

/** Of a worker that has had more requests than any limit. */
export const heartbeat: Heartbeat = {
  rssBytes: 1,
  heapUsedBytes: 1,
  requests: 1e9,
  inFlight: 0,
  connections: 0,
  loopDelayMaxMs: 0,
  loopDelayP99Ms: 0,
  loopUtilizationRatio: 0,
}
