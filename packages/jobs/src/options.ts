import { boolean, durationMs, integer, type OptionChecks, type Schema, standardSchema } from '@scale/core'
import { keyPrefix, type RedisClient, redisClient } from '@scale/redis'

/** Options of `queue`. */
export interface QueueOptions<JobSchema extends Schema = Schema> {
  /** An ioredis client; it is not closed. Default none: the jobs live in this process */
  redis?: RedisClient
  /** Sets apps on one Redis apart. Default `scale` */
  prefix?: string
  /** What a job says: any Standard Schema. Checked when a job is added, and again when it is run */
  schema: JobSchema
  /** How often a job is tried before it is dead. Default 5 */
  attempts?: number
  /** Pause after the first failure, doubled after each further one, in ms; half of it is random. Default 1,000 */
  backoffMs?: number
  /** Longest such pause, in ms. Default 3,600,000 */
  maxBackoffMs?: number
  /** How long a job whose process is silent stays taken, in ms; then another one runs it. Default 30,000 */
  lockMs?: number
  /** How often a job may lose its process before it is dead: it may be what kills them. Default 5 */
  maxCrashes?: number
  /** How long it is known that the job of a key was done, in ms: until then another one of this key is none. Default 86,400,000 */
  keepDoneMs?: number
  /** How long dead jobs are kept, in ms. Default 2,592,000,000 */
  keepDeadMs?: number
  /** Most bytes of a job, as JSON. Default 100,000 */
  maxDataBytes?: number
  /** Longest wait for Redis when a job is added, in ms. Default 1,000 */
  deadlineMs?: number
  /** Jobs may live in this process, where several are likely. Default false */
  allowMemoryStore?: boolean
}

export interface QueueDefaults {
  readonly prefix: 'scale'
  readonly attempts: 5
  readonly backoffMs: 1_000
  readonly maxBackoffMs: 3_600_000
  readonly lockMs: 30_000
  readonly maxCrashes: 5
  readonly keepDoneMs: 86_400_000
  readonly keepDeadMs: 2_592_000_000
  readonly maxDataBytes: 100_000
  readonly deadlineMs: 1_000
  readonly allowMemoryStore: false
}

export const queueDefaults: QueueDefaults = Object.freeze({
  prefix: 'scale',
  attempts: 5,
  backoffMs: 1_000,
  maxBackoffMs: 3_600_000,
  lockMs: 30_000,
  maxCrashes: 5,
  keepDoneMs: 86_400_000,
  keepDeadMs: 2_592_000_000,
  maxDataBytes: 100_000,
  deadlineMs: 1_000,
  allowMemoryStore: false,
})

const YEAR_MS = 31_536_000_000

export const queueChecks: OptionChecks<QueueOptions> = {
  redis: (client) =>
    redisClient(client) ??
    ((client as { options?: { keyPrefix?: string } }).options?.keyPrefix
      ? 'a client without `keyPrefix`, which BullMQ cannot work with; use `prefix`'
      : undefined),
  prefix: keyPrefix,
  schema: standardSchema,
  attempts: integer(1, 1_000),
  backoffMs: durationMs(1),
  maxBackoffMs: durationMs(1),
  lockMs: durationMs(100, 3_600_000),
  maxCrashes: integer(0, 1_000),
  keepDoneMs: durationMs(1_000, YEAR_MS),
  keepDeadMs: durationMs(1_000, YEAR_MS),
  maxDataBytes: integer(2, 10_000_000),
  deadlineMs: durationMs(1, 60_000),
  allowMemoryStore: boolean,
}

/** Options of `work`. */
export interface WorkOptions {
  /** How many jobs run at once in this process. Default 1 */
  concurrency?: number
}

export interface WorkDefaults {
  readonly concurrency: 1
}

export const workDefaults: WorkDefaults = Object.freeze({ concurrency: 1 })

export const workChecks: OptionChecks<WorkOptions> = { concurrency: integer(1, 10_000) }

/** Options of `outbox.relay`. */
export interface RelayOptions {
  /** How long the table is left alone when it was empty, in ms. Default 500 */
  pollMs?: number
  /** How long rows that a relay has taken are left to it, in ms; then others may take them. Default 30,000 */
  leaseMs?: number
  /** Most rows at once. Default 100 */
  batch?: number
}

export interface RelayDefaults {
  readonly pollMs: 500
  readonly leaseMs: 30_000
  readonly batch: 100
}

export const relayDefaults: RelayDefaults = Object.freeze({ pollMs: 500, leaseMs: 30_000, batch: 100 })

export const relayChecks: OptionChecks<RelayOptions> = {
  pollMs: durationMs(1, 3_600_000),
  leaseMs: durationMs(1_000, 3_600_000),
  batch: integer(1, 10_000),
}
