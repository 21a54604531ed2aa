import { type Channel, channel } from '@scale/core'
import type { ReportedIssue } from './issues/issues.js'
import type { Part } from './options.js'

/** A request was refused. Names and numbers only, nothing that the client sent. */
export interface RejectedMessage {
  /** Error code, such as `ERR_SCALE_VALIDATION`. */
  code: `ERR_SCALE_${string}`
  /** HTTP status of the refusal: 400, 413, 414, 415 or 422. */
  status: number
  /** The parts that were refused. */
  parts: readonly Part[]
  /** How many issues there were, also those that the answer leaves out. */
  issues: number
  method: string
  /** Path template of the route, as in `app.get('/users/:id')`; `undefined` outside a route. */
  route: string | undefined
}

/** A response did not match its schema. */
export interface ResponseFailureMessage {
  /** HTTP status that the handler meant to send. */
  status: number
  /** What became of the response: sent all the same (`log`), or replaced by a 500. */
  mode: 'log' | 'strip' | 'enforce'
  /** Where and why, at most 100; never a value of the response. */
  issues: readonly Omit<ReportedIssue, 'in'>[]
  /** How many issues `issues` leaves out. */
  omitted: number
  method: string
  /** Path template of the route; `undefined` outside a route. */
  route: string | undefined
}

/** `scale:validate:rejected`: one message per refused request. */
export const rejected: Channel<RejectedMessage> = channel<RejectedMessage>('scale:validate:rejected')

/** `scale:validate:response-failure`: one message per response that broke its contract. */
export const responseFailure: Channel<ResponseFailureMessage> = channel<ResponseFailureMessage>(
  'scale:validate:response-failure',
)
