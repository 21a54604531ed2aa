import { braced } from './key-names.js'

/** A load under way in this process. */
export interface Flight<Result> {
  readonly key: string
  /** Loads that its loader waits for. */
  readonly waitsFor: Set<Flight<unknown>>
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
    let settle!: (result: Promise<Result>) => void
    const result = new Promise<Result>((resolve) => {
      settle = resolve
    }).finally(() => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    })
    const flight: Flight<Result> = { key, waitsFor: new Set(), startedAt: performance.now(), tags, result }
    this.#flights.set(key, flight)
    settle(run())
    return flight
  }

  overtakeKey(key: string): void {
    this.#flights.delete(key)
  }

  /** @param name  of the tag, as it travels */
  overtakeTag(name: string): void {
    for (const [key, { tags }] of this.#flights) {
      if (tags === undefined || tags.some((tag) => braced(tag) === name)) this.#flights.delete(key)
    }
  }

  overtakeAll(): void {
    this.#flights.clear()
  }
}
