import { availableParallelism } from 'node:os'
import { InvalidOption, resolveOptions } from '@scale/core'
import { type TaskOutcome, taskChannel, utilizationChannel } from './channels.js'
import { PoolBusy, PoolClosed, TaskAborted, TaskCrashed, TaskTimeout, ThreadNotReady } from './errors.js'
import { type PoolOptions, poolChecks, poolDefaults } from './options.js'
import { TaskQueue } from './queue/task-queue.js'
import { type Gone, Task, type TaskOptions } from './task.js'
import type { ThreadReply } from './threads/messages.js'
import { Place } from './threads/place.js'
import type { Transferable } from './threads/thread.js'

const SAMPLE_MS = 5_000

/** What a task is given beside its input. */
export interface TaskContext {
  /** Hands parts of the result over in place of copying them, such as the buffer of an array. @returns the value */
  transfer<Value extends object>(value: Value, list: readonly Transferable[]): Value
}

/** The names of the tasks of a module: its functions of at most an input and a context. */
export type TaskName<Module> = {
  [Name in keyof Module]: Module[Name] extends (input: never, context: TaskContext) => unknown ? Name : never
}[keyof Module] &
  string

type TaskOf<Module, Name extends keyof Module> = Extract<Module[Name], (...given: never[]) => unknown>

/** Threads that run the tasks of one module. */
export interface ThreadPool<Module> {
  readonly name: string
  /** Tasks that run. */
  readonly inFlight: number
  /** Tasks that wait for a thread. */
  readonly waiting: number
  /** Resolves when one thread has loaded the module. @throws {ThreadNotReady} the first that cannot */
  ready(): Promise<void>
  /**
   * Runs a function that the module exports, on a thread.
   *
   * Input and result are copied as by `structuredClone`. A task that was begun is never begun again.
   *
   * @throws what the task throws; `PoolBusy`, `PoolClosed`: it did not begin; `TaskTimeout`, `TaskAborted`: its thread was
   *         stopped; `TaskCrashed`: its thread died
   */
  run<Name extends TaskName<Module>>(
    task: Name,
    input: Parameters<TaskOf<Module, Name>>[0],
    options?: TaskOptions,
  ): Promise<Awaited<ReturnType<TaskOf<Module, Name>>>>
  /**
   * Takes no more tasks, runs those that it has, and ends its threads.
   *
   * @param options.signal  when it aborts, tasks that still wait are refused and those that run are stopped
   */
  close(options?: { signal?: AbortSignal }): Promise<void>
}

/**
 * Starts threads for what would keep the event loop busy. Make one pool per module and keep it.
 *
 * @param module  address of the module whose functions are the tasks, such as `new URL('./report.js', import.meta.url)`
 * @throws {InvalidOption} unknown name or wrong range, or no `file:` address
 * @see docs/concepts/threads.md
 */
export function pool<Module>(module: URL, options: PoolOptions = {}): ThreadPool<Module> {
  if (!(module instanceof URL) || module.protocol !== 'file:') {
    throw new InvalidOption('pool: the module must be a URL of a file.')
  }
  const resolved = resolveOptions('pool', options, { checks: poolChecks, defaults: poolDefaults })
  return new Pool(module.href, resolved) as ThreadPool<Module>
}

type Resolved = Omit<Required<PoolOptions>, 'threads'> & { readonly threads?: number | undefined }

class Pool {
  readonly name: string
  readonly #options: Resolved
  readonly #queue = new TaskQueue<Task>()
  readonly #places: Place[]
  #isClosed = false
  #readiness: 'none yet' | 'ready' | { cause: unknown } = 'none yet'
  #waitingForReady: { resolve(): void; reject(error: unknown): void }[] = []
  /** Called when all tasks are over. */
  #onEmpty: (() => void) | undefined
  readonly #sampler: NodeJS.Timeout

  constructor(module: string, options: Resolved) {
    this.#options = options
    this.name = options.name
    const { threads = Math.max(1, availableParallelism() - 1), maxHeapBytes } = options
    const shared = {
      pool: options.name,
      module,
      maxHeapBytes,
      onFree: (place: Place) => this.#free(place),
      onReply: (task: Task, reply: Exclude<ThreadReply, { kind: 'ready' }>) => this.#replied(task, reply),
      onDeath: (task: Task | undefined, error: unknown, wasReady: boolean) =>
        this.#died(task, error, wasReady),
    }
    this.#places = Array.from({ length: threads }, (_, index) => new Place({ ...shared, index }))
    this.#sampler = setInterval(this.#sample, SAMPLE_MS).unref()
  }

  get inFlight(): number {
    return this.#places.filter(({ task }) => task !== undefined).length
  }

  get waiting(): number {
    return this.#queue.size
  }

  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#readiness === 'ready') resolve()
      else if (this.#readiness === 'none yet') this.#waitingForReady.push({ resolve, reject })
      else reject(new ThreadNotReady(this.name, this.#readiness.cause))
    })
  }

  async run(name: string, input: unknown, options: TaskOptions = {}): Promise<unknown> {
    const task = new Task({ name, input }, options, this.#options.deadlineMs, this.#gone)
    if (this.#isClosed) this.#end(task, 'closed', new PoolClosed(this.name))
    else if (task.hasLeft) this.#gone(task, 'left')
    else this.#admit(task)
    return task.promise
  }

  async close({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#sampler)
    if (this.waiting + this.inFlight > 0) {
      const empty = new Promise<void>((resolve) => {
        this.#onEmpty = resolve
      })
      if (signal?.aborted) this.#refuseAll()
      signal?.addEventListener('abort', this.#refuseAll, { once: true })
      await empty
      signal?.removeEventListener('abort', this.#refuseAll)
    }
    await Promise.all(this.#places.map((place) => place.close()))
  }

  #admit(task: Task): void {
    const free = this.#places.find(({ isFree }) => isFree)
    if (free !== undefined) this.#begin(task, free)
    else if (this.#queue.size < this.#options.maxWaiting) this.#queue.add(task)
    else {
      const displaced = this.#queue.lessImportantThan(task.priority)
      if (displaced !== undefined) {
        this.#queue.remove(displaced)
        this.#queue.add(task)
      }
      this.#end(displaced ?? task, 'busy', new PoolBusy(this.name))
    }
  }

  #begin(task: Task, place: Place): void {
    task.startedAt = performance.now()
    try {
      place.give(task)
    } catch (error) {
      this.#end(task, 'failed', error)
      this.#free(place)
    }
  }

  #free(place: Place): void {
    if (this.#readiness !== 'ready') this.#becomeReady('ready')
    const task = this.#queue.take()
    if (task !== undefined) this.#begin(task, place)
  }

  #replied(task: Task, reply: Exclude<ThreadReply, { kind: 'ready' }>): void {
    if (reply.kind === 'value') this.#end(task, 'ok', undefined, reply.value)
    else this.#end(task, 'failed', reply.error)
  }

  #died(task: Task | undefined, error: unknown, wasReady: boolean): void {
    if (task !== undefined) this.#end(task, 'crashed', new TaskCrashed(this.name, task.order.name, error))
    if (!wasReady && this.#readiness !== 'ready') this.#becomeReady({ cause: error })
  }

  #becomeReady(readiness: 'ready' | { cause: unknown }): void {
    this.#readiness = readiness
    const waiting = this.#waitingForReady
    this.#waitingForReady = []
    for (const { resolve, reject } of waiting) {
      if (readiness === 'ready') resolve()
      else reject(new ThreadNotReady(this.name, readiness.cause))
    }
  }

  /** Nobody waits for a task any more. */
  readonly #gone = (task: Task, gone: Gone): void => {
    const { name } = task.order
    const place = this.#places.find((one) => one.task === task)
    this.#queue.remove(task)
    if (gone === 'left') this.#end(task, 'aborted', new TaskAborted(this.name, name, task.reason))
    else if (place !== undefined) this.#end(task, 'timeout', new TaskTimeout(this.name, name))
    else this.#end(task, 'busy', new PoolBusy(this.name, this.#startFailure()))
    place?.stop()
  }

  #startFailure(): unknown {
    return typeof this.#readiness === 'object'
      ? new ThreadNotReady(this.name, this.#readiness.cause)
      : undefined
  }

  readonly #refuseAll = (): void => {
    for (let task = this.#queue.take(); task !== undefined; task = this.#queue.take()) {
      this.#end(task, 'closed', new PoolClosed(this.name))
    }
    for (const { task } of this.#places) if (task !== undefined) this.#gone(task, 'left')
  }

  #end(task: Task, outcome: TaskOutcome, error: unknown, value?: unknown): void {
    if (outcome === 'ok') task.resolve(value)
    else task.reject(error)
    if (taskChannel.hasSubscribers) {
      const nowMs = performance.now()
      const startedAt = task.startedAt ?? nowMs
      const times = { waitedMs: startedAt - task.askedAt, durationMs: nowMs - startedAt }
      const message = { pool: this.name, task: task.order.name, outcome, ...times }
      task.asker.runInAsyncScope(() => taskChannel.publish(message))
    }
    // When the place of the task is free too.
    if (this.#onEmpty !== undefined) queueMicrotask(this.#checkEmpty)
  }

  readonly #checkEmpty = (): void => {
    if (this.waiting + this.inFlight === 0) this.#onEmpty?.()
  }

  readonly #sample = (): void => {
    if (!utilizationChannel.hasSubscribers) return
    for (const [thread, place] of this.#places.entries()) {
      const utilization = place.utilization()
      if (utilization !== undefined) utilizationChannel.publish({ pool: this.name, thread, utilization })
    }
  }
}
