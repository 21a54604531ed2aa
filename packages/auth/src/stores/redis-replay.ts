import { keyspace, type OperationOptions, type RedisClient, storeGuard } from '@scale/redis'
import type { ReplayStore } from './replay-store.js'

/** Options of `redisReplayStore`. */
export interface RedisReplayStoreOptions {
  /** An ioredis client, standalone, Sentinel or Cluster. */
  redis: RedisClient
  /** Sets apps on one Redis apart. Default `scale` */
  prefix?: string
  /** Longest wait for a reply, in ms. Default: the client's guard's */
  deadlineMs?: number
}

/** Claimed names in Redis, one key each: a claim is one `SET … NX PX`. */
export function redisReplayStore(options: RedisReplayStoreOptions): ReplayStore {
  const guard = storeGuard(options.redis)
  const keys = keyspace(options.prefix ?? 'scale', 'auth', 1)
  const operation: OperationOptions =
    options.deadlineMs === undefined ? { patience: 'long' } : { deadlineMs: options.deadlineMs }
  return {
    claim: async (name, ttlMs) => {
      const args = [keys.tagged(name, 'proof'), '1', 'PX', Math.ceil(ttlMs), 'NX']
      return (await guard.call('set', args, operation)) === 'OK'
    },
  }
}
