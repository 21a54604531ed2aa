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
  /** Boot failures per worker that end the primary, before all have been ready once. Default 3 */
  bootFailures?: number
  /** Exits of one worker that leave its place empty. Default 5 */
  exits?: number
  /** In which both are counted. Default 60,000 */
  windowMs?: number
  /** How long a place stays empty. Default 60,000 */
  openMs?: number
}

/** What holds where `breaker` says nothing. */
export const breakerDefaults: Readonly<Required<BreakerOptions>> = Object.freeze({
  bootFailures: 3,
  exits: 5,
  windowMs: 60_000,
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
    checks: { bootFailures: integer(1), exits: integer(1), windowMs: durationMs(), openMs: durationMs() },
    defaults: breakerDefaults,
  })
}

/** What a crash leads to. */
export type CrashVerdict =
  | { action: 'respawn'; delayMs: number }
  /** The slot is left empty for a while: it failed too often, whatever starts there. */
  | { action: 'hold'; delayMs: number }
  /** The app cannot start at all: the primary ends. */
  | { action: 'give-up' }

type Policy = Pick<Required<RespawnOptions>, 'baseMs' | 'maxMs'> & Required<BreakerOptions>

/** One slot's history. */
export interface SlotHistory {
  /** Consecutive failures, for the backoff. */
  failures: number
  /** When it failed, within the window. */
  exitsAt: number[]
}

/**
 * Counts crashes and says what follows; knows no process and no clock.
 *
 * A slot's failures lead to a longer wait each; too many within the window open its breaker. Before the first boot is
 * complete, failures of all slots count together: a build that cannot start should end with a status, not
 * fill the log for ever.
 */
export class CrashPolicy {
  private bootFailuresAt: number[] = []

  constructor(
    private readonly options: Policy,
    private readonly random: () => number = Math.random,
  ) {}

  onCrash(
    slot: SlotHistory,
    { isFirstBoot, workers, nowMs }: { isFirstBoot: boolean; workers: number; nowMs: number },
  ): CrashVerdict {
    const { windowMs, bootFailures, exits, openMs } = this.options
    const recent = (at: number): boolean => nowMs - at < windowMs
    const delayMs = backoffMs(this.options, slot.failures, this.random)
    slot.failures++
    if (isFirstBoot) {
      this.bootFailuresAt = [...this.bootFailuresAt.filter(recent), nowMs]
      return this.bootFailuresAt.length >= bootFailures * workers
        ? { action: 'give-up' }
        : { action: 'respawn', delayMs }
    }
    slot.exitsAt = [...slot.exitsAt.filter(recent), nowMs]
    return slot.exitsAt.length >= exits ? { action: 'hold', delayMs: openMs } : { action: 'respawn', delayMs }
  }
}
