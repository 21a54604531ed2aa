export {
  type BreakerCause,
  type BreakerMessage,
  breakerChannel,
  type ConnectionErrorMessage,
  connectionErrorChannel,
  type InvalidationStateMessage,
  invalidationStateChannel,
  type LateReplyMessage,
  lateReplyChannel,
  type OperationMessage,
  operationChannel,
} from './channels.js'
export { type RedisArgument, type RedisClient, type RedisConnection, redisClient } from './client.js'
export { connectionError, createRedis, whenReady } from './connect.js'
export { InvalidRedisUrl, RedisUnavailable, type UnavailableReason } from './errors.js'
export type { BreakerState } from './guard/breaker-state.js'
export type { OperationOptions, StoreGuard } from './guard/port.js'
export { storeGuard } from './guard/store-guard.js'
export {
  type InvalidationChannel,
  type InvalidationListener,
  invalidationChannel,
} from './invalidation/channel.js'
export { announceLua } from './invalidation/log.js'
export { type Keyspace, keyPart, keyPrefix, keyspace } from './keys.js'
export { type CreateRedisOptions, createRedisDefaults, type GuardOptions, guardDefaults } from './options.js'
export { defineScript, type Script } from './script.js'
export { type ServerWord, serverWords, wordOf } from './server-words.js'
export { slotOf } from './slot.js'
