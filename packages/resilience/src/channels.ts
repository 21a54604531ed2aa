import { type Channel, channel } from '@scale/core'
import type { BreakerState } from './algorithms/breaker.js'

/**
 * How a call ended: `ok`; `failed`, the other side answered with a failure or was not reached; `timeout`; `open`, not
 * tried because the breaker is open; `busy`, not tried because too many run; `aborted`, the caller has left.
 */
export type CallOutcome = 'ok' | 'failed' | 'timeout' | 'open' | 'busy' | 'aborted'

/** A call is over. */
export interface CallMessage {
  /** Name of the policy. */
  policy: string
  outcome: CallOutcome
  /** The caller was given the fallback. */
  fallback: boolean
  /** How often it was sent: 0 if it was refused. */
  tries: number
  /** How many of these were sent before another one had ended. */
  hedges: number
  /** Until the result, without the body of a response, ms. */
  durationMs: number
}

/** A breaker opened, let probes through, or closed. */
export interface BreakerMessage {
  /** Name of the policy. */
  policy: string
  state: BreakerState
  /** Calls within the window, and how many of them had failed, when it changed. */
  calls: number
  failures: number
}

/** A store of stale values failed; the call went on without. */
export interface StaleFailureMessage {
  /** Name of the policy. */
  policy: string
  operation: 'get' | 'set'
  error: unknown
}

/** `scale:resilience:call`: one message per call. */
export const callChannel: Channel<CallMessage> = channel('scale:resilience:call')

/** `scale:resilience:breaker`: one message per change. */
export const breakerChannel: Channel<BreakerMessage> = channel('scale:resilience:breaker')

/** `scale:resilience:stale-failure`: one message per failure. */
export const staleFailureChannel: Channel<StaleFailureMessage> = channel('scale:resilience:stale-failure')
