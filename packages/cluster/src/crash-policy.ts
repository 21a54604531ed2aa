import { type BackoffPolicy, backoffMs } from './backoff.js'

/** What a crash leads to. */
export type CrashVerdict =
  | { action: 'respawn'; delayMs: number }
  /** The slot is left empty for a while: it failed too often, whatever starts there. */
  | { action: 'hold'; delayMs: number }
  /** The app cannot start at all: the primary ends. */
  | { action: 'give-up' }

export interface CrashPolicyOptions extends BackoffPolicy {
  /** Boot failures, per worker, that end the primary before the first boot is complete. */
  bootFailures: number
  /** Exits of one slot that open its breaker. */
  exits: number
  /** In which both are counted. */
  windowMs: number
  /** How long an open slot stays empty. */
  openMs: number
}

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
    private readonly options: CrashPolicyOptions,
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
