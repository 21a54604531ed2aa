import type { Algorithm } from './algorithm.js'
import type { Quota } from './quota.js'

/**
 * Generic cell rate algorithm (ITU-T I.371, virtual scheduling): the token bucket kept as one point in time.
 *
 * State `[tat]`: theoretical arrival time of the next unit, in µs.
 * Known error: up to burst + quota in a window. The interval between units is rounded up to a whole µs.
 */
export const gcra: Algorithm = {
  advance: (state, _, nowMs) => [Math.max(state?.[0] ?? 0, nowMs * 1_000)],
  available: ([tat], quota, nowMs) => {
    const interval = intervalUs(quota)
    return Math.floor((nowMs * 1_000 + quota.burst * interval - tat!) / interval)
  },
  debit: ([tat], quota, units) => [tat! + units * intervalUs(quota)],
  refund: ([tat], quota, units, _, nowMs) => [Math.max(tat! - units * intervalUs(quota), nowMs * 1_000)],
  windowId: () => 0,
  waitMs: ([tat], quota, units, nowMs) => {
    const waitUs = tat! + (units - quota.burst) * intervalUs(quota) - nowMs * 1_000
    if (waitUs <= 0) return 0
    return units > quota.burst || quota.quota === 0 ? Number.POSITIVE_INFINITY : Math.ceil(waitUs / 1_000)
  },
  ttlMs: ([tat], _, nowMs) => Math.max(1, Math.ceil(tat! / 1_000) - nowMs),
  bound: (quota) => quota.burst + Math.floor(((quota.windowMs - 1) * 1_000) / intervalUs(quota)),
}

function intervalUs({ quota, windowMs }: Quota): number {
  return Math.ceil((windowMs * 1_000) / Math.max(1, quota))
}
