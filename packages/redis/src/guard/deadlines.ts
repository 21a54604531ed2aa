/** Something that waits for an answer until a point in time. */
export interface Waiting {
  /** Monotonic time (`performance.now()`) after which it has waited too long. */
  dueAt: number
  /** True once it has its answer; then it is forgotten. */
  readonly settled: boolean
  /** Called once, when it is due and still has no answer. */
  expire(nowMs: number): void
}

/**
 * Ends what has waited too long, with one timer for everything that waits.
 *
 * When the event loop was busy, the timer fires late and replies may be lying in the socket, unread. So a due
 * timer first lets the loop read (`setImmediate` runs after the poll phase) and only then looks who is still waiting.
 */
export class Deadlines {
  /** One queue per waiting time: in each, what came first is due first. */
  readonly #queues = new Map<number, Queue>()
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY

  /** @param waitMs  how long it may wait, in ms; `waiting.dueAt` is set from it */
  add(waiting: Waiting, waitMs: number, nowMs: number): void {
    let queue = this.#queues.get(waitMs)
    if (queue === undefined) {
      queue = new Queue()
      this.#queues.set(waitMs, queue)
    }
    waiting.dueAt = nowMs + waitMs
    queue.push(waiting)
    this.#arm(waiting.dueAt, nowMs)
  }

  #arm(dueAt: number, nowMs: number): void {
    if (dueAt >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = dueAt
    this.#timer = setTimeout(this.#onTimer, Math.max(1, Math.ceil(dueAt - nowMs)))
  }

  readonly #onTimer = (): void => {
    setImmediate(this.#expireDue)
  }

  readonly #expireDue = (): void => {
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
    const nowMs = performance.now()
    let next = Number.POSITIVE_INFINITY
    for (const [waitMs, queue] of this.#queues) {
      queue.expireUntil(nowMs)
      const head = queue.peek()
      if (head === undefined) this.#queues.delete(waitMs)
      else next = Math.min(next, head.dueAt)
    }
    if (next !== Number.POSITIVE_INFINITY) this.#arm(next, nowMs)
  }
}

/** First in, first out, in an array whose read part is cut off now and then. */
class Queue {
  #items: Waiting[] = []
  #head = 0

  push(item: Waiting): void {
    this.#items.push(item)
  }

  /** The first that still waits. */
  peek(): Waiting | undefined {
    while (this.#head < this.#items.length && this.#items[this.#head]!.settled) this.#head++
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head > 1_024) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return this.#items[this.#head]
  }

  expireUntil(nowMs: number): void {
    for (let item = this.peek(); item !== undefined && item.dueAt <= nowMs; item = this.peek()) {
      this.#head++
      item.expire(nowMs)
    }
  }
}
