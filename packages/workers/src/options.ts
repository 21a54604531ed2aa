import { durationMs, integer, type OptionChecks, string } from '@scale/core'

/** Options of `pool`. */
export interface PoolOptions {
  /** Names it in channels, metrics and errors, 1–64 characters. Default `pool` */
  name?: string
  /** How many threads there are; all are started at once. Default: one less than there are processors, at least 1 */
  threads?: number
  /** Most tasks that wait for a thread, 0 for none. Default 100 */
  maxWaiting?: number
  /** Longest time of a task, its wait included. A request's own deadline shortens it. Default 30,000 */
  deadlineMs?: number
  /** Most memory that the objects of one thread may take; beyond it the thread dies, and nothing else. Default 268,435,456 */
  maxHeapBytes?: number
}

export interface PoolDefaults {
  readonly name: 'pool'
  readonly maxWaiting: 100
  readonly deadlineMs: 30_000
  readonly maxHeapBytes: 268_435_456
}

export const poolDefaults: PoolDefaults = Object.freeze({
  name: 'pool',
  maxWaiting: 100,
  deadlineMs: 30_000,
  maxHeapBytes: 268_435_456,
})

const MEBIBYTE = 1_048_576

export const poolChecks: OptionChecks<PoolOptions> = {
  name: string(1, 64),
  threads: integer(1, 1_024),
  maxWaiting: integer(0, 1_000_000),
  deadlineMs: durationMs(1, 86_400_000),
  maxHeapBytes: integer(16 * MEBIBYTE),
}
