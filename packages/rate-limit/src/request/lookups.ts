import { RateLimitStoreUnavailable } from '../errors.js'

/** Nothing is known, and nobody decides. */
export const UNDECIDED: unique symbol = Symbol('undecided')

/** Waits for what the app has to look up, such as a user's plan, under the same terms as for the store. */
export class Lookups {
  readonly #deadlineMs: number
  readonly #onStoreError: 'open' | 'closed' | 'local'
  readonly #report: (error: unknown) => void

  constructor(options: {
    deadlineMs: number
    onStoreError: 'open' | 'closed' | 'local'
    report: (error: unknown) => void
  }) {
    this.#deadlineMs = options.deadlineMs
    this.#onStoreError = options.onStoreError
    this.#report = options.report
  }

  /**
   * @param known  what to go on with where limits are kept by this process alone; `undefined` if there is nothing
   * @throws {RateLimitStoreUnavailable} no answer, and requests are refused without one
   * @throws UNDECIDED no answer, and nothing to go on with
   */
  async answer<Value>(pending: PromiseLike<Value>, known: () => Value | undefined): Promise<Value> {
    try {
      return await within(pending, this.#deadlineMs)
    } catch (error) {
      this.#report(error)
      if (this.#onStoreError === 'closed') throw new RateLimitStoreUnavailable(error)
      const value = this.#onStoreError === 'local' ? known() : undefined
      if (value === undefined) throw UNDECIDED
      return value
    }
  }

  /** The same where there is always something to go on with. */
  async answerOr<Value>(pending: PromiseLike<Value>, otherwise: Value): Promise<Value> {
    try {
      return await within(pending, this.#deadlineMs)
    } catch (error) {
      this.#report(error)
      return otherwise
    }
  }
}

function within<Value>(pending: PromiseLike<Value>, deadlineMs: number): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`What the app looks up for a limit did not come within ${deadlineMs} ms.`)),
      deadlineMs,
    )
    pending.then(resolve, reject).then(() => clearTimeout(timer))
  })
}

/** Whether a value comes later. */
export function isPending<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof (value as PromiseLike<Value> | null | undefined)?.then === 'function'
}
