import { durationMs, integer, resolveOptions } from '@scale/core'
import { backoffMs } from './backoff.js'

/** When a worker that ended by itself is started again. */
export interface RespawnOptions {
  /** The first ceiling of the random wait; it doubles with each failure. Default 500 */
  baseMs?: number
  /** The last ceiling. Default 30,000 */
  maxMs?: number
  /** How long a worker must be ready for its failures to be forgotten. Default 60,000 */
  resetAfterMs?: number
}

/** What holds where `respawn` says nothing. */
export const respawnDefaults: Readonly<Required<RespawnOptions>> = Object.freeze({
  baseMs: 500,
  maxMs: 30_000,
  resetAfterMs: 60_000,
})

/** When a worker, or the whole, has failed too often. */
export interface BreakerOptions {
  /** Boot failures in a row, of each worker that was never ready, that end the primary at its first boot. Default 3 */
  bootFailures?: number
  /** Failures in a row that leave a worker's place empty. Default 5 */
  exits?: number
  /** How long a place stays empty. Default 60,000 */
  openMs?: number
}

/** What holds where `breaker` says nothing. */
export const breakerDefaults: Readonly<Required<BreakerOptions>> = Object.freeze({
  bootFailures: 3,
  exits: 5,
  openMs: 60_000,
})

/** @throws {InvalidOption} */
export function resolveRespawn(given: RespawnOptions | undefined): Required<RespawnOptions> {
  return resolveOptions('runCluster: respawn', given, {
    checks: { baseMs: durationMs(), maxMs: durationMs(), resetAfterMs: durationMs() },
    defaults: respawnDefaults,
  })
}

/** @throws {InvalidOption} */
export function resolveBreaker(given: BreakerOptions | undefined): Required<BreakerOptions> {
  return resolveOptions('runCluster: breaker', given, {
    checks: { bootFailures: integer(1), exits: integer(1), openMs: durationMs() },
    defaults: breakerDefaults,
  })
}

/** How long a place stays empty after a failure, and whether that is because it failed too often. */
export interface Pause {
  delayMs: number
  isHeld: boolean
}

/**
 * What follows a failure of a place, of whatever kind and however long the attempt took: only how many there were in a
 * row counts. (A boot that hangs for a minute is as much of a failure as one that throws at once.)
 *
 * @param failures  in a row, this one included
 */
export function pauseAfter(
  options: Pick<Required<RespawnOptions>, 'baseMs' | 'maxMs'> &
    Pick<Required<BreakerOptions>, 'exits' | 'openMs'>,
  failures: number,
  random: () => number = Math.random,
): Pause {
  return failures >= options.exits
    ? { delayMs: options.openMs, isHeld: true }
    : { delayMs: backoffMs(options, failures - 1, random), isHeld: false }
}

/**
 * Whether the app cannot start at all. Asked before the first boot is over: every place that has never been ready has
 * failed so many times in a row.
 */
export function cannotStart(
  places: readonly { failures: number; wasReady: boolean }[],
  bootFailures: number,
): boolean {
  return places.every(({ failures, wasReady }) => wasReady || failures >= bootFailures)
}
