import { LoadsOverloaded } from '../errors.js'

/** Runs at most so many tasks at a time; the others wait in order. */
export class Limiter {
  readonly #maxRunning: number
  readonly #maxQueued: number
  readonly #queue: (() => void)[] = []
  #running = 0

  constructor(maxRunning: number, maxQueued: number) {
    this.#maxRunning = maxRunning
    this.#maxQueued = maxQueued
  }

  /** @throws {LoadsOverloaded} too many wait already; also what the task throws */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#maxRunning) {
      if (this.#queue.length >= this.#maxQueued) throw new LoadsOverloaded()
      await new Promise<void>((resolve) => this.#queue.push(resolve))
    } else {
      this.#running++
    }
    try {
      return await task()
    } finally {
      const next = this.#queue.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
