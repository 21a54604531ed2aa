import type { Verdict } from '../algorithms/breaker.js'

/** One try of a call, as its task sees it. */
export interface Attempt {
  /** From 1. */
  readonly number: number
  /** When the call must be over, on the clock of `performance.now()`. */
  readonly deadlineAt: number
  /** Aborts when the try is given up: its time is over, its caller has left, or another try has answered. */
  readonly signal: AbortSignal
  /**
   * The try is under way, and takes its place, until this settles, though its result is there. It must not reject, and
   * resolves with what it has shown.
   */
  until(end: Promise<Verdict>): void
}
