export type { PolicyBound } from './algorithms/bound.js'
export type { AlgorithmName } from './algorithms/index.js'
export type { Quota } from './algorithms/quota.js'
export {
  type DecisionMessage,
  decisionChannel,
  type RateLimitStoreErrorMessage,
  storeErrorChannel,
} from './channels.js'
export { RateLimited, RateLimitStoreUnavailable, UnknownClientAddress, UnreadableQuota } from './errors.js'
export { type RateLimit, rateLimit } from './middleware.js'
export {
  type PolicyOptions,
  policyDefaults,
  type RateLimitOptions,
  rateLimitDefaults,
} from './options.js'
export { addressHierarchy } from './request/address-hierarchy.js'
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
} from './request/partition.js'
export type { Subject } from './request/spending.js'
export type { Decision, PolicyDecision } from './response/decision.js'
export type { HeaderStyle } from './response/headers.js'
export type {
  Balance,
  Charge,
  DecisionSource,
  QuotaStore,
  Settlement,
  StoreReply,
} from './store.js'
export { type ExpressRateLimitStore, expressRateLimitStore } from './stores/express-rate-limit-store.js'
export { MemoryStore } from './stores/memory.js'
export { RedisStore } from './stores/redis.js'
