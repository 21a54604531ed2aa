export type { BreakerState, Verdict } from './algorithms/breaker.js'
export type { Attempt } from './call/attempt.js'
export type { Fallback } from './call/fallback.js'
export {
  type BreakerMessage,
  breakerChannel,
  type CallMessage,
  type CallOutcome,
  callChannel,
  type StaleFailureMessage,
  staleFailureChannel,
} from './channels.js'
export {
  CallAborted,
  ForeignAddress,
  UpstreamBusy,
  UpstreamFailed,
  UpstreamTimeout,
  UpstreamUnavailable,
} from './errors.js'
export type { StoredResponse } from './http/stored-response.js'
export type { PolicyOptions, UpstreamOptions } from './options.js'
export { type Policy, policy, type RunOptions } from './policy.js'
export type { StaleStore } from './stale-store.js'
export { type Upstream, type UpstreamInit, upstream } from './upstream.js'
