import type { Algorithm } from './algorithm.js'

/**
 * Token bucket: holds up to `burst` units, and fills at `quota` units per window.
 *
 * State `[level, at]`: the level in units × windowMs, so that a fill of `quota` per ms is exact, and the time it is of.
 * Known error: up to burst + quota in a window.
 */
export const tokenBucket: Algorithm = {
  advance: (state, { quota, windowMs, burst }, nowMs) => {
    const full = burst * windowMs
    if (state === undefined) return [full, nowMs]
    const [level, at] = state
    return nowMs <= at! ? state : [Math.min(full, level! + (nowMs - at!) * quota), nowMs]
  },
  available: (state, { windowMs }) => Math.floor(state[0]! / windowMs),
  debit: ([level, at], { windowMs }, units) => [level! - units * windowMs, at!],
  refund: (state, { windowMs, burst }, units, _, nowMs) => {
    const [level, at] = state
    return nowMs < at! ? state : [Math.min(burst * windowMs, level! + units * windowMs), at!]
  },
  windowId: () => 0,
  waitMs: ([level, at], { quota, windowMs, burst }, units, nowMs) => {
    const missing = units * windowMs - level!
    if (missing <= 0) return 0
    return units > burst || quota === 0 ? Number.POSITIVE_INFINITY : Math.ceil(missing / quota) + at! - nowMs
  },
  ttlMs: ([level, at], { quota, windowMs, burst }, nowMs) =>
    Math.max(1, Math.ceil((burst * windowMs - level!) / Math.max(1, quota)) + at! - nowMs),
  bound: ({ quota, windowMs, burst }) => burst + Math.floor((quota * (windowMs - 1)) / windowMs),
}
