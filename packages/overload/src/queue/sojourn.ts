/**
 * How long a request may wait: long while the queue empties now and then, short once it has not for `maxWaitMs`. A queue
 * that never empties gives nobody an earlier answer; it makes all of them late.
 *
 * @see Nichols and Jacobson, Controlling queue delay, 2012 · Maurer, Fail at scale, 2015
 */
export class Sojourn {
  readonly #maxWaitMs: number
  readonly #overloadedWaitMs: number
  #emptyAt: number

  constructor(maxWaitMs: number, overloadedWaitMs: number, nowMs: number) {
    this.#maxWaitMs = maxWaitMs
    this.#overloadedWaitMs = overloadedWaitMs
    this.#emptyAt = nowMs
  }

  /** The queue is empty. */
  emptied(nowMs: number): void {
    this.#emptyAt = nowMs
  }

  /** The queue has not been empty for too long. Then the newest is served first. */
  isOverloaded(nowMs: number): boolean {
    return nowMs - this.#emptyAt > this.#maxWaitMs
  }

  /** In ms. */
  longest(nowMs: number): number {
    return this.isOverloaded(nowMs) ? this.#overloadedWaitMs : this.#maxWaitMs
  }
}
