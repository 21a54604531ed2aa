import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { requestDeadline } from '@scale/core'
import type { Priority } from './queue/task-queue.js'
import type { TaskOrder } from './threads/messages.js'
import type { Transferable } from './threads/thread.js'

/** For whom a task is, and how it is treated. */
export interface TaskOptions {
  /** The request that is being answered: the task ends with it, and by its deadline. Default: none */
  req?: IncomingMessage
  /** Ends the task when it aborts. Default: none */
  signal?: AbortSignal
  /** Shortens the deadline of this task. Default: that of the pool */
  deadlineMs?: number
  /** 0 is run first; a full queue makes room for it by refusing what is less important. Default 1 */
  priority?: Priority
  /** What is handed over in place of a copy, and is gone here, such as the buffer of an array. Default: none */
  transfer?: readonly Transferable[]
}

/** Why nobody waits for a task any more. */
export type Gone = 'deadline' | 'left'

/** One task, from when it was asked for to its end, which it has once. */
export class Task {
  readonly priority: Priority
  readonly transfer: readonly Transferable[]
  readonly askedAt: number = performance.now()
  readonly promise: Promise<unknown>
  startedAt: number | undefined
  /** Whoever asked: a thread answers, and a timer ends, outside of every request. */
  readonly asker: AsyncResource = new AsyncResource('scale.task')
  readonly #options: TaskOptions
  readonly #onGone: (task: Task, gone: Gone) => void
  #settle!: { resolve: (value: unknown) => void; reject: (error: unknown) => void }
  #timer: NodeJS.Timeout | undefined

  constructor(
    readonly order: TaskOrder,
    options: TaskOptions,
    deadlineMs: number,
    onGone: (task: Task, gone: Gone) => void,
  ) {
    this.priority = options.priority ?? 1
    this.transfer = options.transfer ?? []
    this.#options = options
    this.#onGone = onGone
    this.promise = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    const { req, signal } = options
    const remainingMs = req ? requestDeadline(req) - this.askedAt : Number.POSITIVE_INFINITY
    const ms = Math.max(0, Math.min(deadlineMs, remainingMs, options.deadlineMs ?? Number.POSITIVE_INFINITY))
    this.#timer = setTimeout(() => onGone(this, 'deadline'), ms)
    responseOf(req)?.once('close', this.#left)
    signal?.addEventListener('abort', this.#left, { once: true })
  }

  /** Nobody waits for it any more, already now. */
  get hasLeft(): boolean {
    const { req, signal } = this.#options
    const res = responseOf(req)
    return signal?.aborted || (res !== undefined && (res.closed || res.destroyed) && !res.writableFinished)
  }

  get reason(): unknown {
    return this.#options.signal?.reason
  }

  resolve(value: unknown): void {
    this.#over()
    this.#settle.resolve(value)
  }

  reject(error: unknown): void {
    this.#over()
    this.#settle.reject(error)
  }

  #over(): void {
    clearTimeout(this.#timer)
    responseOf(this.#options.req)?.off('close', this.#left)
    this.#options.signal?.removeEventListener('abort', this.#left)
  }

  readonly #left = (): void => {
    // A response that is complete may have started what goes on after it.
    if (this.hasLeft) this.#onGone(this, 'left')
  }
}

function responseOf(req: IncomingMessage | undefined): ServerResponse | undefined {
  return (req as { res?: ServerResponse } | undefined)?.res
}
