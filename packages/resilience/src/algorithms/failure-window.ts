const BUCKETS = 10

interface Bucket {
  /** Which stretch of time it counts, in bucket lengths since 0. */
  epoch: number
  calls: number
  failures: number
}

/**
 * Counts calls and failures of the last `windowMs`, in ten buckets. What is old is passed over when it is read, so that a
 * pause of any length forgets it. Its known error: a tenth of the window.
 */
export class FailureWindow {
  readonly #bucketMs: number
  readonly #buckets: Bucket[] = []

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS
  }

  record(hasFailed: boolean, nowMs: number): void {
    const epoch = Math.floor(nowMs / this.#bucketMs)
    const place = epoch % BUCKETS
    let bucket = this.#buckets[place]
    if (bucket?.epoch !== epoch) {
      bucket = { epoch, calls: 0, failures: 0 }
      this.#buckets[place] = bucket
    }
    bucket.calls++
    if (hasFailed) bucket.failures++
  }

  read(nowMs: number): { calls: number; failures: number } {
    const oldest = Math.floor(nowMs / this.#bucketMs) - BUCKETS + 1
    const total = { calls: 0, failures: 0 }
    for (const bucket of this.#buckets) {
      if (bucket === undefined || bucket.epoch < oldest) continue
      total.calls += bucket.calls
      total.failures += bucket.failures
    }
    return total
  }

  clear(): void {
    this.#buckets.length = 0
  }
}
