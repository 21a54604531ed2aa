import type { IncomingMessage } from 'node:http'
import { InvalidOption, string } from '@scale/core'
import type { BreakerState } from './algorithms/breaker.js'
import type { Attempt } from './call/attempt.js'
import { Engine } from './call/engine.js'
import { type Fallback, keepGood, substituteOf } from './call/fallback.js'
import { FINE, type Judge } from './call/judge.js'
import type { PolicyOptions } from './options.js'

/** What is known of one call beyond its task. */
export interface RunOptions<Value> {
  /** The request that is being answered: the call ends with it, and by its deadline. Default: none */
  req?: IncomingMessage
  /** Aborts the call. Default: none */
  signal?: AbortSignal
  /** Shortens the deadline of this call. Default: that of the policy */
  deadlineMs?: number
  /** Running the task twice does the same as once, such as a SELECT: it may be repeated and hedged. Default `false` */
  repeatable?: boolean
  /** What to give when the call fails. Default: the failure is thrown */
  fallback?: Fallback<Value>
}

/** How a service is called, and how it stands with it. */
export interface Policy {
  readonly name: string
  /** State of the breaker. */
  readonly state: BreakerState
  /** Calls under way. */
  readonly inFlight: number
  /** Calls that wait for their turn. */
  readonly waiting: number
  /**
   * Runs a task that asks something of another service.
   *
   * The task should end when `attempt.signal` aborts; whether or not it does, the caller waits no longer than declared.
   *
   * @throws what the task throws; `UpstreamTimeout`, `UpstreamUnavailable`, `UpstreamBusy`, `CallAborted`
   */
  run<Value>(
    task: (attempt: Attempt) => PromiseLike<Value> | Value,
    options?: RunOptions<Value>,
  ): Promise<Value>
}

/**
 * A policy for calls to one service: SQL, an SDK, anything that returns a promise.
 *
 * Make one per service and keep it: breaker, bulkhead and retry budget are in it.
 *
 * @param name  names it in channels, metrics and errors, 1–64 characters
 * @throws {InvalidOption} unknown name or wrong range
 * @see docs/concepts/resilience.md
 */
export function policy(name: string, options: PolicyOptions = {}): Policy {
  const wanted = string(1, 64)(name)
  if (wanted !== undefined) throw new InvalidOption(`policy: its name must be ${wanted}.`)
  const engine = new Engine('policy', name, options)
  const isFailure = options.isFailure ?? isOfServer
  const { breaker, bulkhead } = engine.shared
  return {
    name,
    get state() {
      return breaker.state
    },
    get inFlight() {
      return bulkhead.inFlight
    },
    get waiting() {
      return bulkhead.waiting
    },
    run<Value>(
      task: (attempt: Attempt) => PromiseLike<Value> | Value,
      { repeatable = false, fallback, ...caller }: RunOptions<Value> = {},
    ): Promise<Value> {
      return engine.execute({
        task,
        caller,
        judge: judgeBy<Value>(isFailure, repeatable, keeping(name, fallback)),
        canHedge: repeatable,
        substitute: substituteOf(name, fallback),
        failureOf: () => undefined,
      })
    },
  }
}

/** Keeps good values where the fallback looks for them. */
function keeping<Value>(
  policy: string,
  fallback: Fallback<Value> | undefined,
): ((value: Value) => void) | undefined {
  if (fallback === undefined || typeof fallback === 'function' || 'value' in fallback) return undefined
  return (value) => keepGood(policy, fallback.stale, fallback.key, value)
}

function judgeBy<Value>(
  isFailure: (error: unknown) => boolean,
  repeatable: boolean,
  keep: ((value: Value) => void) | undefined,
): Judge<Value> {
  return {
    ofValue: (value) => {
      keep?.(value)
      return FINE
    },
    ofError: (error) => (isFailure(error) ? { verdict: 'failed', mayRepeat: repeatable, afterMs: 0 } : FINE),
    discard: () => {},
  }
}

/** An error that carries a status below 500 is an answer, and the other side is well. */
function isOfServer(error: unknown): boolean {
  const { status, statusCode = status } = (error ?? {}) as { status?: unknown; statusCode?: unknown }
  return !(typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
}
