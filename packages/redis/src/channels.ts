import { type Channel, channel } from '@scale/core'
import type { UnavailableReason } from './errors.js'
import type { BreakerState } from './guard/breaker-state.js'

/** One guarded operation has ended. */
export interface OperationMessage {
  /** Command in lower case, or the name of the script. */
  operation: string
  /** `ok`, `error` (the server answered with an error), or why there was no answer. */
  outcome: 'ok' | 'error' | UnavailableReason
  /** From the call to the outcome, in ms. */
  durationMs: number
}

/**
 * - `silent`: the server was asked and has said nothing at all for `silenceMs`
 * - `lost`: the connection is lost, or there is none
 * - `answered`: the server has said something, or there is a new connection
 */
export type BreakerCause = 'silent' | 'lost' | 'answered'

/** The breaker of a client, or of one node of a Cluster client, has changed. */
export interface BreakerMessage {
  from: BreakerState
  to: BreakerState
  /** What made it change. */
  cause: BreakerCause
  /** `host:port` in a Cluster; empty for a client with one server. */
  node: string
}

/** A reply came after its deadline: the operation counts as failed, and yet was carried out. */
export interface LateReplyMessage {
  operation: string
  /** From the call to the reply, in ms. */
  durationMs: number
}

/** A client made by `createRedis` reports an error of its connection. It reconnects by itself. */
export interface ConnectionErrorMessage {
  error: unknown
}

/** The invalidation channel of a client has begun to listen, or has lost its connection. */
export interface InvalidationStateMessage {
  armed: boolean
}

/** `scale:redis:operation` */
export const operationChannel: Channel<OperationMessage> = channel('scale:redis:operation')
/** `scale:redis:breaker` */
export const breakerChannel: Channel<BreakerMessage> = channel('scale:redis:breaker')
/** `scale:redis:late-reply` */
export const lateReplyChannel: Channel<LateReplyMessage> = channel('scale:redis:late-reply')
/** `scale:redis:connection-error` */
export const connectionErrorChannel: Channel<ConnectionErrorMessage> = channel('scale:redis:connection-error')
/** `scale:redis:invalidation` */
export const invalidationStateChannel: Channel<InvalidationStateMessage> = channel('scale:redis:invalidation')
