/**
 * - `closed`: operations pass
 * - `open`: operations fail at once, until the pause is over
 * - `half-open`: the next operation is let through as a probe; while it is under way the others fail at once
 */
export type BreakerState = 'closed' | 'open' | 'half-open'
