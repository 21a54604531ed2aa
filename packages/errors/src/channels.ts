import { type Channel, channel } from '@scale/core'

/**
 * What became of a request that failed.
 *
 * - `answered`: the client has a problem document
 * - `cut`: its response had begun, and the connection was destroyed, so that half an answer is not taken for a whole one;
 *   or a `pipeline` that failed had destroyed it
 * - `late`: its response was complete already
 * - `client-left`: there is nobody to answer
 */
export type FailureOutcome = 'answered' | 'cut' | 'late' | 'client-left'

/** A request failed. Published once per failure, before the answer is sent. */
export interface FailureMessage {
  /** What was thrown, without the raw body that parsers attach; an `Error` also if what was thrown is none. */
  error: Error
  /** The status that the failure stands for; 499 if the client left, which is no error of the server. */
  status: number
  /** Stable name of the failure; `ERR_SCALE_CLIENT_LEFT` if the client left. */
  code: string
  outcome: FailureOutcome
  /** Method of the request. */
  method: string
  /** Id of the request, as the client sees it. */
  requestId: string | undefined
  /** How another server answered a request of this one, if that is the failure. The client is not told. */
  upstreamStatus?: number | undefined
}

/** The process is about to end. */
export interface FatalMessage {
  /** What was thrown, without the raw body that parsers attach; an `Error` also if what was thrown is none. */
  error: Error
  /**
   * Where it came from. `drain` is an error of the drain itself, or that it took too long. Both end the process at
   * once, as does any error that is not the first.
   */
  origin: 'uncaughtException' | 'unhandledRejection' | 'drain'
  /** True for the first: a drain follows. */
  willDrain: boolean
}

/** `scale:errors:failure` */
export const failureChannel: Channel<FailureMessage> = channel('scale:errors:failure')
/** `scale:errors:fatal` */
export const fatalChannel: Channel<FatalMessage> = channel('scale:errors:fatal')
