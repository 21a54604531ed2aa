export { addressHierarchy } from './address-hierarchy.js'
export type { AlgorithmName } from './algorithms/index.js'
export type { PolicyBound } from './bound.js'
export {
  type DecisionMessage,
  decisionChannel,
  type RateLimitStoreErrorMessage,
  storeErrorChannel,
} from './channels.js'
export type { Decision, PolicyDecision } from './decision.js'
export { RateLimited, RateLimitStoreUnavailable, UnknownClientAddress, UnreadableQuota } from './errors.js'
export { type ExpressRateLimitStore, expressRateLimitStore } from './express-rate-limit-store.js'
export type { HeaderStyle } from './headers.js'
export { type RateLimit, rateLimit } from './middleware.js'
export {
  type PolicyOptions,
  policyDefaults,
  type RateLimitOptions,
  rateLimitDefaults,
} from './options.js'
export {
  type Addressed,
  address,
  apiKey,
  type LimitedRequest,
  type Partition,
  type PartitionKeyOf,
  type Partitions,
  partition,
  route,
  user,
} from './partition.js'
export type { Quota } from './policy.js'
export type { Subject } from './spending.js'
export type {
  Balance,
  Charge,
  DecisionSource,
  QuotaStore,
  Settlement,
  StoreReply,
} from './store.js'
export { MemoryStore } from './stores/memory.js'
export { RedisStore } from './stores/redis.js'
