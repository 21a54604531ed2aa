/** What a stretch of time has shown, told to the algorithm when it ends. */
export interface LoadWindow {
  /** When it ended, on a clock that never goes back. */
  nowMs: number
  /** Most requests that ran at the same time. */
  maxInFlight: number
  /** By route: how many answers, and the median of their latency in ms. Empty if nothing was answered. */
  routes: ReadonlyMap<string, { count: number; medianMs: number }>
  /** Share of the time that the event loop was busy, 0 to 1. */
  utilization: number
}

/**
 * Finds how many requests may run at once. A pure function from window to window: it keeps nothing of its own, so
 * that it can be tried on a clock that is not real.
 */
export interface LimitAlgorithm<State = unknown> {
  /** What it starts from. */
  start(nowMs: number): State
  /** What it has learnt from one window. */
  next(state: State, window: LoadWindow): State
  /** How many may run at once, a whole number of at least 1. */
  limit(state: State): number
  /** Answers to requests that began earlier than this are no part of the next window. Default: all are */
  since?(state: State): number
}
