interface Waiting {
  enter(): void
  refuse(error: unknown): void
}

/** So many calls at once and no more; so many wait for a place, the oldest first. */
export class Bulkhead {
  readonly #maxConcurrent: number
  readonly #maxWaiting: number
  readonly #queue = new Set<Waiting>()
  #running = 0

  constructor(maxConcurrent: number, maxWaiting: number) {
    this.#maxConcurrent = maxConcurrent
    this.#maxWaiting = maxWaiting
  }

  get inFlight(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#queue.size
  }

  /** Takes a place if one is free. */
  tryEnter(): boolean {
    if (this.#running >= this.#maxConcurrent) return false
    this.#running++
    return true
  }

  get hasPlaceToWait(): boolean {
    return this.#queue.size < this.#maxWaiting
  }

  /**
   * Waits for a place.
   *
   * @param cancel  is given what ends the waiting with an error
   */
  wait(cancel: (refuse: (error: unknown) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { enter: resolve, refuse: reject }
      this.#queue.add(waiting)
      cancel((error) => {
        if (this.#queue.delete(waiting)) reject(error)
      })
    })
  }

  /** Refuses all who wait: it is known by now that they would wait in vain. */
  refuseWaiting(error: () => unknown): void {
    const refused = [...this.#queue]
    this.#queue.clear()
    for (const waiting of refused) waiting.refuse(error())
  }

  leave(): void {
    const [next] = this.#queue
    if (next === undefined) {
      this.#running--
    } else {
      this.#queue.delete(next)
      next.enter()
    }
  }
}
