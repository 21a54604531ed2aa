import type { Algorithm } from './algorithm.js'

/**
 * Fixed window that starts with the first request: INCR with expiry.
 *
 * State `[spent, endsAt]`; in Redis a plain counter with a TTL, 1 integer.
 * Known error: up to 2 × quota − 1 in a window that lies across the end of one and the start of the next.
 */
export const fixed: Algorithm = {
  advance: (state, { windowMs }, nowMs) =>
    state !== undefined && nowMs < state[1]! ? state : [0, nowMs + windowMs],
  available: (state, { quota }) => quota - state[0]!,
  debit: ([spent, endsAt], _, units) => [spent! + units, endsAt!],
  refund: (state, { windowMs }, units, windowId) => {
    const [spent, endsAt] = state
    // Two windows end at least one length apart, so half of that tells them apart however a clock is rounded.
    return Math.abs(endsAt! - windowId) * 2 < windowMs ? [Math.max(0, spent! - units), endsAt!] : state
  },
  windowId: (state) => state[1]!,
  waitMs: ([spent, endsAt], { quota }, units, nowMs) => {
    if (units <= quota - spent!) return 0
    return units > quota ? Number.POSITIVE_INFINITY : endsAt! - nowMs
  },
  ttlMs: (state, _, nowMs) => state[1]! - nowMs,
  bound: ({ quota }) => Math.max(0, 2 * quota - 1),
}
