import { type Channel, channel } from '@scale/core'
import type { Decision } from './response/decision.js'

/** A request was decided on. */
export interface DecisionMessage {
  /** `name` of the limiter. */
  limiter: string
  /** True if it refused, or would have in `shadow`. */
  refused: boolean
  /** The limiter only watches: the request went on in any case. */
  shadow: boolean
  decision: Decision
  /** From the question to the answer, ms; in `compose` others are asked meanwhile. */
  durationMs: number
}

/** The store gave no decision, or could not correct one. */
export interface RateLimitStoreErrorMessage {
  limiter: string
  /** What was being done; `lookup`: the app's own quota, partition or `skip` was waited for. */
  operation: 'consume' | 'peek' | 'settle' | 'heartbeat' | 'lookup'
  /** What happens to requests meanwhile. */
  onStoreError: 'open' | 'closed' | 'local'
  error: unknown
}

/** `scale:rate-limit:decision` */
export const decisionChannel: Channel<DecisionMessage> = channel('scale:rate-limit:decision')
/** `scale:rate-limit:store-error` */
export const storeErrorChannel: Channel<RateLimitStoreErrorMessage> = channel('scale:rate-limit:store-error')
