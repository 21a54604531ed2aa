import { type ThreadMessage, threadChannel } from '../channels.js'
import type { Task } from '../task.js'
import type { ThreadReply } from './messages.js'
import { Thread } from './thread.js'

/** The pause after a start that failed; it doubles with each further one up to the longest. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

export interface PlaceOptions {
  readonly pool: string
  readonly index: number
  readonly module: string
  readonly maxHeapBytes: number
  /** It can take a task. */
  onFree(place: Place): void
  /** A task has come to its end. */
  onReply(task: Task, reply: Exclude<ThreadReply, { kind: 'ready' }>): void
  /** The thread died; `task` is what it ran, `undefined` if it ran nothing; `wasReady` is false if it never could. */
  onDeath(task: Task | undefined, error: unknown, wasReady: boolean): void
}

/** A place in the pool: it has a thread, and gets another one when that has ended, for whatever reason. */
export class Place {
  task: Task | undefined
  readonly #options: PlaceOptions
  #thread: Thread | undefined
  #failedStarts = 0
  #pause: NodeJS.Timeout | undefined
  #isClosed = false
  /** Threads that were told to end, and have not yet. */
  #ending = 0
  #onEnded: (() => void) | undefined

  constructor(options: PlaceOptions) {
    this.#options = options
    this.#start()
  }

  get isFree(): boolean {
    return this.task === undefined && this.#thread?.isReady === true
  }

  /** @throws what the task is given cannot be cloned; the place is free as before */
  give(task: Task): void {
    this.#thread!.give(task.order, task.transfer)
    this.task = task
  }

  /** Ends its thread together with the task. */
  stop(): void {
    this.task = undefined
    this.#end()
    this.#start()
  }

  /** Ends its thread, and gets no other. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#pause)
    this.#end()
    if (this.#ending > 0)
      await new Promise<void>((resolve) => {
        this.#onEnded = resolve
      })
  }

  utilization(): number | undefined {
    return this.#thread?.utilization()
  }

  #end(): void {
    if (this.#thread === undefined) return
    this.#ending++
    this.#thread.stop()
    this.#thread = undefined
  }

  #start(): void {
    const { module, maxHeapBytes, onFree, onReply } = this.#options
    const thread = new Thread(module, maxHeapBytes, {
      ready: () => {
        this.#failedStarts = 0
        this.#tell('ready')
        onFree(this)
      },
      replied: (reply) => {
        const task = this.task!
        this.task = undefined
        thread.rest()
        onReply(task, reply)
        if (this.isFree) onFree(this)
      },
      died: (error) => this.#died(error, thread.isReady),
      stopped: () => {
        this.#tell('stopped')
        if (--this.#ending === 0) this.#onEnded?.()
      },
    })
    this.#thread = thread
  }

  #died(error: unknown, wasReady: boolean): void {
    const { task } = this
    this.task = undefined
    this.#thread = undefined
    this.#tell('died', error)
    if (this.#isClosed) return
    if (wasReady) this.#start()
    else {
      // What cannot start now will not start in a millisecond either.
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failedStarts++)
      this.#pause = setTimeout(() => this.#start(), pauseMs).unref()
    }
    this.#options.onDeath(task, error, wasReady)
  }

  #tell(event: ThreadMessage['event'], error?: unknown): void {
    const { pool, index } = this.#options
    if (threadChannel.hasSubscribers) threadChannel.publish({ pool, thread: index, event, error })
  }
}
