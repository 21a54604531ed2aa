import type { Quota } from '../../src/algorithms/quota.js'
import type { Random } from '../random.js'

/** One request: when, to which process, at what cost. */
export interface Arrival {
  readonly at: number
  readonly process: number
  readonly cost: number
}

/** What the requests of a run look like, in order of time. Several windows long, always more than the quota. */
export type Pattern = (rng: Random, quota: Quota, processes: number) => Arrival[]

const WINDOWS = 6

export const patterns: Record<string, Pattern> = {
  /** Three times the quota, at random, of different cost. */
  poisson: (rng, { quota, windowMs }, processes) => {
    const mean = windowMs / (3 * quota)
    return from(0, WINDOWS * windowMs, (at) => at + rng.exponential(mean)).map((at) => ({
      at,
      process: rng.integer(processes),
      cost: 1 + rng.integer(3),
    }))
  },
  /** Silence, then as much as twice the quota within a few ms, on all processes. */
  'on/off': (rng, { quota, windowMs }, processes) =>
    from(0, WINDOWS * windowMs, (at) => at + Math.ceil(rng.unit() * windowMs)).flatMap((at) =>
      burst(rng, at, 2 * quota, processes),
    ),
  /** One request to start a window, all there is at its last ms, and all there is at the first ms of the next. */
  boundary: (rng, { quota, windowMs }, processes) =>
    from(0, WINDOWS * windowMs, (at) => at + 2 * windowMs).flatMap((at) => [
      { at, process: 0, cost: 1 },
      ...burst(rng, at + windowMs - 1, 2 * quota, processes, 0),
      ...burst(rng, at + windowMs, 2 * quota, processes, 0),
    ]),
  /** Just above the rate that the quota allows, evenly, from one process after the other. */
  drip: (_rng, { quota, windowMs }, processes) => {
    let turn = 0
    return from(0, WINDOWS * windowMs, (at) => at + Math.max(1, Math.floor((0.9 * windowMs) / quota))).map(
      (at) => ({
        at,
        process: turn++ % processes,
        cost: 1,
      }),
    )
  },
  /** One process has nearly all, then it moves to another: quota taken in advance is left behind. */
  migrating: (rng, { quota, windowMs }, processes) => {
    const step = Math.max(1, Math.floor(windowMs / (4 * quota)))
    return from(0, WINDOWS * windowMs, (at) => at + step).map((at) => ({
      at,
      process: rng.unit() < 0.95 ? Math.floor(at / (windowMs / 2)) % processes : rng.integer(processes),
      cost: 1,
    }))
  },
}

function from(start: number, end: number, next: (at: number) => number): number[] {
  const times: number[] = []
  for (let at = start; at < end; at = next(at)) times.push(at)
  return times
}

function burst(rng: Random, at: number, requests: number, processes: number, spreadMs = 3): Arrival[] {
  const times = Array.from({ length: requests }, () => at + rng.integer(spreadMs + 1)).sort((a, b) => a - b)
  return times.map((time) => ({ at: time, process: rng.integer(processes), cost: 1 }))
}
