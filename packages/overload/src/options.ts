import {
  anyOf,
  boolean,
  durationMs,
  func,
  integer,
  number,
  type OptionCheck,
  type OptionChecks,
  object,
  string,
} from '@scale/core'
import type { Request } from 'express'
import type { LimitAlgorithm } from './limits/limit.js'
import type { Priority } from './queue/waiting-room.js'

/** Options of `admission`. */
export interface AdmissionOptions {
  /** Names it in channels and metrics, 1–64 characters. Default `app` */
  name?: string
  /** How many requests may run at once: a number, or what finds it. Default: `gradient()` */
  limit?: number | LimitAlgorithm
  /** Most requests that wait for their turn, 0 for none. Default 1,000 */
  maxWaiting?: number
  /** Longest wait while the queue empties now and then. Default 100 */
  maxWaitMs?: number
  /** Longest wait once the queue has not been empty for `maxWaitMs`. Default 10 */
  overloadedWaitMs?: number
  /**
   * How important a request is, 0 to 3. 0 is served first, and is refused only if its own time is over or all places are
   * taken by others of 0. What throws or gives anything else counts as 1. Default: 1 for each
   */
  priority?: (req: Request) => Priority
  /**
   * Whose request it is, such as a tenant: those who wait get equal shares. `undefined` shares one place with all
   * others of `undefined`. Default: one for all
   */
  partition?: (req: Request) => string | undefined
  /**
   * Whose requests are let through uncounted. Default: GET and HEAD of `/livez`, `/readyz`, `/healthz` and `/metrics`
   */
  exempt?: (req: Request) => boolean
  /**
   * How long after its arrival a request is still worth beginning: ms, or a function. A client may shorten it by
   * `Request-Timeout` or `grpc-timeout`. Default: none
   */
  deadlineMs?: number | ((req: Request) => number | undefined)
  /** Mean of the `Retry-After` of a refusal, which is spread from 1 s to twice this. Default 2,000 */
  retryAfterMs?: number
  /** Hands a refusal to `next` as an error in place of answering it at once. Default `false` */
  forward?: boolean
}

export interface AdmissionDefaults {
  readonly name: 'app'
  readonly maxWaiting: 1_000
  readonly maxWaitMs: 100
  readonly overloadedWaitMs: 10
  readonly retryAfterMs: 2_000
  readonly forward: false
}

export const admissionDefaults: AdmissionDefaults = Object.freeze({
  name: 'app',
  maxWaiting: 1_000,
  maxWaitMs: 100,
  overloadedWaitMs: 10,
  retryAfterMs: 2_000,
  forward: false,
})

/** An hour: whoever waits longer has left. */
const LONGEST_MS = 3_600_000
const MOST = 1_000_000

const algorithm: OptionCheck = (value) =>
  object(value) === undefined &&
  ['start', 'next', 'limit'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
    ? undefined
    : 'what `gradient()` or `aimd()` returns'

export const admissionChecks: OptionChecks<AdmissionOptions> = {
  name: string(1, 64),
  limit: anyOf(integer(1, MOST), algorithm),
  maxWaiting: integer(0, MOST),
  maxWaitMs: durationMs(1, LONGEST_MS),
  overloadedWaitMs: durationMs(0, LONGEST_MS),
  priority: func,
  partition: func,
  exempt: func,
  deadlineMs: anyOf(durationMs(1, LONGEST_MS), func),
  retryAfterMs: durationMs(1_000, LONGEST_MS),
  forward: boolean,
}

/** Options of `gradient`. */
export interface GradientOptions {
  /** Where it begins. Default 20 */
  initial?: number
  /** It never goes below, 1 or more. Default 2 */
  min?: number
  /** It never goes above. Default 1,000 */
  max?: number
  /** So many times the latency of an idle process is no sign of load. Default 1.2 */
  tolerance?: number
  /** Added to it, so that what takes a fraction of a millisecond may vary. Default 2 */
  bufferMs?: number
  /** How long a process is busy before it looks anew how fast an idle one is. Default 15,000 */
  probeMs?: number
}

export interface GradientDefaults extends BoundsDefaults {
  readonly tolerance: 1.2
  readonly bufferMs: 2
  readonly probeMs: 15_000
}

interface BoundsDefaults {
  readonly initial: 20
  readonly min: 2
  readonly max: 1_000
}

const boundsDefaults: BoundsDefaults = { initial: 20, min: 2, max: 1_000 }

export const gradientDefaults: GradientDefaults = Object.freeze({
  ...boundsDefaults,
  tolerance: 1.2,
  bufferMs: 2,
  probeMs: 15_000,
})

const bounds = { initial: integer(1, MOST), min: integer(1, MOST), max: integer(1, MOST) }

export const gradientChecks: OptionChecks<GradientOptions> = {
  ...bounds,
  tolerance: number(1, 100),
  bufferMs: number(0, 10_000),
  probeMs: durationMs(1_000),
}

/** Options of `aimd`. */
export interface AimdOptions {
  /** Where it begins. Default 20 */
  initial?: number
  /** It never goes below, 1 or more. Default 2 */
  min?: number
  /** It never goes above. Default 1,000 */
  max?: number
  /** It is too slow when most answers come from routes whose median is above. Default 1,000 */
  maxLatencyMs?: number
  /** An event loop that is busy for more than this share of the time has too much to do; 1 for never. Default 1 */
  maxUtilization?: number
  /** What is left of the limit when it has to shrink, 0.1 to 0.99. Default 0.9 */
  decreaseRatio?: number
}

export interface AimdDefaults extends BoundsDefaults {
  readonly maxLatencyMs: 1_000
  readonly maxUtilization: 1
  readonly decreaseRatio: 0.9
}

export const aimdDefaults: AimdDefaults = Object.freeze({
  ...boundsDefaults,
  maxLatencyMs: 1_000,
  maxUtilization: 1,
  decreaseRatio: 0.9,
})

export const aimdChecks: OptionChecks<AimdOptions> = {
  ...bounds,
  maxLatencyMs: number(1, LONGEST_MS),
  maxUtilization: number(0.1, 1),
  decreaseRatio: number(0.1, 0.99),
}
