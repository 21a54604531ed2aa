export type { NodeRedisClient } from './node-redis.js'
export { type RedisStoreOptions, redisStoreDefaults } from './options.js'
export { RedisStore, type StoreCallback } from './redis-store.js'
