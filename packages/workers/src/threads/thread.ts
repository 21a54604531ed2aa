import { Worker } from 'node:worker_threads'
import { bootstrap } from './bootstrap.js'
import type { TaskOrder, ThreadReply } from './messages.js'

const MEBIBYTE = 1_048_576

/** What the pool is told of a thread. */
export interface ThreadEvents {
  /** Its module is loaded. */
  ready(): void
  /** What it was given is done. */
  replied(reply: Exclude<ThreadReply, { kind: 'ready' }>): void
  /** It has ended by itself; told once, and not of one that was stopped. */
  died(error: unknown): void
  /** It has ended because it was told to. */
  stopped(): void
}

/** One thread, from its start to its end; whoever replaces it is another one. */
export class Thread {
  isReady = false
  readonly #worker: Worker
  #isOver = false
  #error: unknown
  #seen: ReturnType<Worker['performance']['eventLoopUtilization']>

  constructor(module: string, maxHeapBytes: number, events: ThreadEvents) {
    this.#worker = new Worker(bootstrap, {
      eval: true,
      workerData: { module },
      resourceLimits: { maxOldGenerationSizeMb: Math.round(maxHeapBytes / MEBIBYTE) },
    })
    this.#seen = this.#worker.performance.eventLoopUtilization()
    this.#worker.on('message', (reply: ThreadReply) => {
      if (this.#isOver) return
      if (reply.kind === 'ready') {
        this.isReady = true
        // A thread that has nothing to do is no reason for the process to go on.
        this.#worker.unref()
        events.ready()
      } else events.replied(reply)
    })
    // A reply that cannot be read here.
    this.#worker.on('messageerror', (error) => this.#isOver || events.replied({ kind: 'error', error }))
    this.#worker.on('error', (error) => {
      this.#error = error
    })
    this.#worker.on('exit', (code) => {
      if (this.#isOver) events.stopped()
      else {
        this.#isOver = true
        events.died(this.#error ?? new Error(`It ended by process.exit(${code}).`))
      }
    })
  }

  /** @throws what is given cannot be cloned */
  give(order: TaskOrder, transfer: readonly Transferable[]): void {
    this.#worker.postMessage(order, transfer as never)
    this.#worker.ref()
  }

  /** Its task is over. */
  rest(): void {
    this.#worker.unref()
  }

  /** Ends it, whatever it is doing. Nothing that it still says is heard. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#worker.ref()
    void this.#worker.terminate()
  }

  /** Share of the time since the last call that its loop was busy, 0 to 1. */
  utilization(): number {
    const now = this.#worker.performance.eventLoopUtilization()
    const { utilization } = this.#worker.performance.eventLoopUtilization(now, this.#seen)
    this.#seen = now
    return utilization
  }
}

/** What `postMessage` can hand over. */
export type Transferable = NonNullable<Parameters<Worker['postMessage']>[1]>[number]
