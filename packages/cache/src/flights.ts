/** A load under way in this process. */
export interface Flight<Result> {
  readonly startedAt: number
  /** Tags named beforehand; `undefined` if they are known only after the load. */
  readonly tags: readonly string[] | undefined
  readonly result: Promise<Result>
}

/**
 * One load per key at a time. A load that an invalidation has overtaken takes no new passengers: whoever asks after
 * the invalidation gets a load that began after it.
 */
export class Flights<Result> {
  readonly #flights = new Map<string, Flight<Result>>()

  get size(): number {
    return this.#flights.size
  }

  /** @param mayJoin  whether a load that began then is young enough */
  find(key: string, mayJoin: (startedAt: number) => boolean): Flight<Result> | undefined {
    const flight = this.#flights.get(key)
    return flight !== undefined && mayJoin(flight.startedAt) ? flight : undefined
  }

  /** Replaces one that is too old to be joined; that one goes on for its passengers. */
  start(key: string, tags: readonly string[] | undefined, run: () => Promise<Result>): Flight<Result> {
    const result = run().finally(() => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    })
    const flight: Flight<Result> = { startedAt: performance.now(), tags, result }
    this.#flights.set(key, flight)
    return flight
  }

  overtakeKey(key: string): void {
    this.#flights.delete(key)
  }

  overtakeTag(tag: string): void {
    for (const [key, flight] of this.#flights) {
      if (flight.tags === undefined || flight.tags.includes(tag)) this.#flights.delete(key)
    }
  }

  overtakeAll(): void {
    this.#flights.clear()
  }
}
