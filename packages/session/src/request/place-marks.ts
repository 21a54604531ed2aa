import type { PlaceMark, SessionStore } from '../store.js'
import { isMarked, type SessionRef } from '../stores/token.js'
import { reportFailure } from './failures.js'

/** Places without a mark that may open nothing in a row, and one more each second. */
const MOST_MADE_UP = 20

/**
 * Tells made-up places of sessions from real ones without asking the store, so that who makes up tokens can neither
 * load it nor choose which of its nodes is loaded. The key is asked for once a process.
 *
 * Places of before there were marks, or of a key that was lost, have none that is known here: those are asked for, as
 * long as few of them open nothing.
 */
export class PlaceMarks {
  readonly #ask: (() => Promise<PlaceMark>) | undefined
  #mark: PlaceMark | undefined
  #asking: Promise<PlaceMark> | undefined
  #left = MOST_MADE_UP
  #countedAt = performance.now()

  constructor(store: SessionStore) {
    this.#ask = store.mark?.bind(store)
  }

  /** What marks the places of new sessions, if it need not be waited for. */
  get known(): { key: string | undefined } | undefined {
    return this.#ask === undefined ? { key: undefined } : this.#mark
  }

  /** Marks the places of new sessions. @throws the store's error */
  async key(): Promise<string | undefined> {
    return (this.#mark ?? (await this.#fetch()))?.key
  }

  /** Whether the store is to be asked for a place; `perhaps`: it is, and {@link found} is to be told if it is real. */
  admit(ref: SessionRef): 'yes' | 'perhaps' | 'no' {
    if (this.#ask === undefined) return 'yes'
    if (this.#mark === undefined) {
      // The first requests of a process do not wait for it.
      this.#fetch()!.catch((error: unknown) => reportFailure('load', error))
      return 'yes'
    }
    if (isMarked(ref, this.#mark.key)) return 'yes'
    if (this.#mark.isComplete) return 'no'
    const now = performance.now()
    this.#left = Math.min(MOST_MADE_UP, this.#left + (now - this.#countedAt) / 1_000)
    this.#countedAt = now
    if (this.#left < 1) return 'no'
    this.#left--
    return 'perhaps'
  }

  /** A place that was admitted without a mark is real. */
  found(): void {
    this.#left++
  }

  #fetch(): Promise<PlaceMark> | undefined {
    if (this.#ask === undefined) return undefined
    this.#asking ??= this.#ask()
      .then((mark) => {
        this.#mark = mark
        return mark
      })
      .finally(() => {
        this.#asking = undefined
      })
    return this.#asking
  }
}
