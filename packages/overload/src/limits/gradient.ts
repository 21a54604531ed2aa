import { resolveOptions } from '@scale/core'
import { type GradientOptions, gradientChecks, gradientDefaults } from '../options.js'
import { assertBounds } from './bounds.js'
import type { LimitAlgorithm, LoadWindow } from './limit.js'

/** What `gradient` keeps from window to window. */
export interface GradientState {
  readonly limit: number
  /** By route: the median latency in ms when hardly anything else runs. */
  readonly bases: ReadonlyMap<string, number>
  /** While it looks how fast an idle process would be: when it began, and the limit to return to. */
  readonly probe: { readonly startedAt: number; readonly limit: number } | undefined
  readonly nextProbeAt: number
}

/** Of what one window says, so much is believed. */
const WEIGHT = 0.5
/** So many times slower than before, an idle process is believed at once. */
const LEVEL = 1.5
/** A process that is busy from its start does not know yet what idle is. */
const FIRST_PROBE_MS = 1_000
/** Where a probe takes long, because answers do, it comes so many times less often than it lasts. */
const PROBE_EVERY = 40
/** Then it gives up, though nothing was answered. */
const LONGEST_PROBE_MS = 10_000
/** A window at most halves the limit. */
const STEEPEST = 0.5
/** What it grows by while latency allows: a tenth, and at least one. */
const headroom = (limit: number): number => Math.max(1, limit / 10)

/**
 * Compares how long answers take with how long they take when hardly anything else runs. As long as they take at most
 * `tolerance` times that, the limit grows; beyond, it shrinks in proportion. Routes are compared each with itself, so a
 * slow route among fast ones is no sign of load.
 *
 * How fast an idle process is changes, too. When the limit has been in use for `probeMs`, it goes down to `min` for
 * a moment, in which only what begins then is measured. Without, a long overload would become what is normal, and an
 * upstream that has become slower would hold the limit down for ever.
 *
 * @param random  from 0 to 1, so that the processes of a fleet do not probe together
 * @throws {InvalidOption} unknown name, wrong range, or `min` ≤ `initial` ≤ `max` does not hold
 * @see Envoy, adaptive concurrency · Netflix, concurrency-limits, Gradient2
 */
export function gradient(
  options: GradientOptions = {},
  random: () => number = Math.random,
): LimitAlgorithm<GradientState> {
  const resolved = resolveOptions('gradient', options, { checks: gradientChecks, defaults: gradientDefaults })
  assertBounds('gradient', resolved)
  const { initial, min, max, tolerance, bufferMs, probeMs } = resolved
  const probeAfter = (nowMs: number, tookMs: number = 0): number =>
    nowMs + Math.max(probeMs, tookMs * PROBE_EVERY) * (0.75 + random() / 2)

  /** From 1, all is well, down to the steepest. */
  function gradientOf({ routes }: LoadWindow, bases: ReadonlyMap<string, number>): number {
    let [sum, answers] = [0, 0]
    for (const [route, { count, medianMs }] of routes) {
      const base = bases.get(route)
      // Of a route that was never seen alone, nothing can be said.
      sum += base === undefined ? count : count * Math.min(1, (base * tolerance + bufferMs) / medianMs)
      answers += count
    }
    return answers === 0 ? 1 : Math.max(STEEPEST, sum / answers)
  }

  function adjusted(limit: number, window: LoadWindow, slope: number): number {
    if (slope === 1 && !isNear(limit, window)) return limit
    const wanted = limit * slope + headroom(limit)
    const next = wanted > limit ? wanted : limit + (wanted - limit) * WEIGHT
    return Math.min(max, Math.max(min, next))
  }

  return {
    start: (nowMs) => ({
      limit: initial,
      bases: new Map(),
      probe: undefined,
      nextProbeAt: nowMs + FIRST_PROBE_MS,
    }),
    limit: ({ limit }) => Math.floor(limit),
    since: ({ probe }) => probe?.startedAt ?? 0,
    next: (state, window) => {
      const { nowMs } = window
      if (state.probe !== undefined) {
        const tookMs = nowMs - state.probe.startedAt
        if (window.routes.size === 0 && tookMs < LONGEST_PROBE_MS) return state
        const bases = learnt(state.bases, window)
        return {
          limit: state.probe.limit,
          bases,
          probe: undefined,
          nextProbeAt: probeAfter(nowMs, tookMs),
        }
      }
      const isIdle = window.maxInFlight <= min
      // A limit that nobody comes near does no harm, and a probe would.
      if (isNear(state.limit, window) && !isIdle && nowMs >= state.nextProbeAt) {
        return { ...state, limit: min, probe: { startedAt: nowMs, limit: state.limit } }
      }
      const bases = isIdle ? learnt(state.bases, window) : state.bases
      const nextProbeAt = isIdle ? Math.max(state.nextProbeAt, probeAfter(nowMs)) : state.nextProbeAt
      return { ...state, bases, nextProbeAt, limit: adjusted(state.limit, window, gradientOf(window, bases)) }
    },
  }
}

function isNear(limit: number, { maxInFlight }: LoadWindow): boolean {
  return maxInFlight * 2 >= limit
}

/** What an idle process takes, after a window in which hardly anything else ran. */
function learnt(bases: ReadonlyMap<string, number>, { routes }: LoadWindow): ReadonlyMap<string, number> {
  const result = new Map(bases)
  for (const [route, { medianMs }] of routes) {
    const known = bases.get(route) ?? medianMs
    // Much slower is another level and no chance, and half-way to it would hold the limit down.
    result.set(route, medianMs > known * LEVEL ? medianMs : known + (medianMs - known) * WEIGHT)
  }
  return result
}
