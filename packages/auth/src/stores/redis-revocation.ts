import { keyspace, type RedisClient, storeGuard } from '@scale/redis'
import type { RevocationStore } from '../revocation-store.js'

/** Options of `redisRevocationStore`. */
export interface RedisRevocationStoreOptions {
  /** An ioredis client, standalone, Sentinel or Cluster. */
  redis: RedisClient
  /** Sets apps on one Redis apart. Default `scale` */
  prefix?: string
  /** Longest wait for a reply, in ms. Default: the client's guard's */
  deadlineMs?: number
}

/** Marks in Redis, one key each. Those of a user are in one Cluster slot: a check is one MGET. */
export function redisRevocationStore(options: RedisRevocationStoreOptions): RevocationStore {
  const guard = storeGuard(options.redis)
  const keys = keyspace(options.prefix ?? 'scale', 'auth', 1)
  const operation = options.deadlineMs === undefined ? undefined : { deadlineMs: options.deadlineMs }
  const keyOf = (tag: string, name: string): string => keys.tagged(tag, 'mark', name)
  return {
    set: async (tag, name, value, ttlMs) => {
      await guard.call('set', [keyOf(tag, name), value, 'PX', Math.ceil(ttlMs)], operation)
    },
    get: async (tag, names) => {
      const values = await guard.call(
        'mget',
        names.map((name) => keyOf(tag, name)),
        operation,
      )
      return (values as (string | null)[]).map((value) => value ?? undefined)
    },
  }
}
