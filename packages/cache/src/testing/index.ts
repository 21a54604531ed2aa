export { MemoryStore } from '../stores/memory.js'
export { RedisStore } from '../stores/redis.js'
export type { CacheStore, LeaseRequest, Loaded, StoredFrame, TagVersion } from '../stores/store.js'
export { type ContractRunner, cacheStoreContract, type StoreUnderTest } from './store-contract.js'
