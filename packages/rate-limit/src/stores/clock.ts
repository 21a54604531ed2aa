/** Tells the time in whole ms. */
export type Clock = () => number

/** Ms since this process started: never steps, whatever happens to the wall clock. */
export const monotonicClock: Clock = () => Math.floor(performance.now())
