import type { Verdict } from '../algorithms/breaker.js'
import type { Attempt } from './attempt.js'

/** What the end of one try means. */
export interface Finding {
  /** What it says of the other side. */
  readonly verdict: Verdict
  /** Whether the same may be sent once more. */
  readonly mayRepeat: boolean
  /** Not before so many ms. */
  readonly afterMs: number
}

/** Knows what the results of a kind of call mean. */
export interface Judge<Value> {
  ofValue(value: Value): Finding
  ofError(error: unknown, attempt: Attempt): Finding
  /** A value that nobody will be given. */
  discard(value: Value): void
}

/** How one try ended. */
export type Outcome<Value> = { readonly finding: Finding } & (
  | { readonly value: Value }
  | { readonly error: unknown }
)

export const FINE: Finding = Object.freeze({ verdict: 'ok', mayRepeat: false, afterMs: 0 })
export const SAYS_NOTHING: Finding = Object.freeze({ verdict: 'none', mayRepeat: false, afterMs: 0 })
