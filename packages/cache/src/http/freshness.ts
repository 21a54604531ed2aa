import { type Directives, secondsOf } from './cache-control.js'
import type { Fields } from './fields.js'
import { parseHttpDate } from './http-date.js'

/** RFC 9111 §4.2.1: `s-maxage`, then `max-age`, then `Expires`. */
export function explicitLifetimeMs(
  directives: Directives,
  fields: Fields | undefined,
  nowMs: number,
): { lifetimeMs: number; rule: string } | undefined {
  for (const name of ['s-maxage', 'max-age']) {
    const seconds = secondsOf(directives, name)
    if (seconds !== undefined) return { lifetimeMs: seconds * 1_000, rule: name }
  }
  const expires = fields?.get('expires')
  if (expires === undefined) return undefined
  // Several of them, or one that cannot be read, is in the past (RFC 9111 §5.3).
  const at = typeof expires === 'string' ? parseHttpDate(expires) : undefined
  return { lifetimeMs: at === undefined ? 0 : Math.max(0, at - dateOf(fields!, nowMs)), rule: 'expires' }
}

const DAY_MS = 86_400_000

/** RFC 9111 §4.2.2: a share of the time since it was last modified, for no longer than a day. */
export function heuristicLifetimeMs(
  fields: Fields,
  ratio: number,
  nowMs: number,
): { lifetimeMs: number; rule: string } | undefined {
  const modified = fields.get('last-modified')
  const at = typeof modified === 'string' ? parseHttpDate(modified) : undefined
  if (ratio === 0 || at === undefined) return undefined
  const lifetimeMs = Math.min(DAY_MS, Math.max(0, dateOf(fields, nowMs) - at) * ratio)
  return { lifetimeMs, rule: 'heuristicRatio' }
}

/** RFC 9111 §4.2.3, for a response that took no time to come. */
export function initialAge(fields: Fields, nowMs: number): number {
  const field = fields.get('age')
  const first = (typeof field === 'string' ? field : field?.[0])?.split(',')[0]?.trim() ?? ''
  const ageMs = /^\d+$/.test(first) ? Math.min(Number(first), 2 ** 31) * 1_000 : 0
  return Math.max(ageMs, nowMs - dateOf(fields, nowMs), 0)
}

function dateOf(fields: Fields, nowMs: number): number {
  const date = fields.get('date')
  // Dates have no fractions: one of this very second is now.
  const at = typeof date === 'string' ? parseHttpDate(date) : undefined
  return at === undefined || Math.abs(nowMs - at) < 1_000 ? nowMs : at
}

/** RFC 9111 §4.2.4: some directives forbid any stale response; then neither RFC 5861 nor the route allows one. */
export function staleLimits(
  directives: Directives,
  policy: { readonly staleWhileRevalidateMs: number; readonly staleIfErrorMs: number },
): { staleWhileRevalidateMs: number; staleIfErrorMs: number } {
  if (['must-revalidate', 'proxy-revalidate', 's-maxage', 'no-cache'].some((name) => directives.has(name))) {
    return { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  }
  const said = (name: string): number | undefined => {
    const seconds = secondsOf(directives, name)
    return seconds === undefined ? undefined : seconds * 1_000
  }
  return {
    staleWhileRevalidateMs: said('stale-while-revalidate') ?? policy.staleWhileRevalidateMs,
    staleIfErrorMs: said('stale-if-error') ?? policy.staleIfErrorMs,
  }
}
