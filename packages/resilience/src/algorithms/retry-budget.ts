/** Counted in thousandths, so that ten tenths are one. */
const ONE = 1_000

/**
 * How much may be sent again: each call pays in `ratio`, each repetition costs one, and at most `burst` are saved. So of
 * any number of calls in a row at most `burst + ratio × calls` are repetitions, however many fail.
 *
 * @see https://sre.google/sre-book/handling-overload/
 */
export class RetryBudget {
  readonly #deposit: number
  readonly #most: number
  #saved: number

  constructor(ratio: number, burst: number) {
    this.#deposit = Math.round(ratio * ONE)
    this.#most = burst * ONE
    this.#saved = this.#most
  }

  /** A call begins. */
  deposit(): void {
    this.#saved = Math.min(this.#most, this.#saved + this.#deposit)
  }

  /** Takes one repetition. @returns false if there is none left */
  withdraw(): boolean {
    if (this.#saved < ONE) return false
    this.#saved -= ONE
    return true
  }
}
