import { keyspace, type OperationOptions, type RedisClient, storeGuard } from '@scale/redis'
import { raiseMarkScript } from './lua/raise-mark.lua.js'
import type { RevocationStore } from './revocation-store.js'

/** Options of `redisRevocationStore`. */
export interface RedisRevocationStoreOptions {
  /** An ioredis client, standalone, Sentinel or Cluster. */
  redis: RedisClient
  /** Sets apps on one Redis apart. Default `scale` */
  prefix?: string
  /** Longest wait for a reply, in ms. Default: the client's guard's */
  deadlineMs?: number
  /** For tests: the time, in ms. Default: the server's own clock */
  clock?: () => number
}

/** Marks in Redis, one key each. Those of a user are in one Cluster slot: a check is one MGET. */
export function redisRevocationStore(options: RedisRevocationStoreOptions): RevocationStore {
  const guard = storeGuard(options.redis)
  const keys = keyspace(options.prefix ?? 'scale', 'auth', 1)
  const operation: OperationOptions =
    options.deadlineMs === undefined ? { patience: 'long' } : { deadlineMs: options.deadlineMs }
  const keyOf = (tag: string, name: string): string => keys.tagged(tag, 'mark', name)
  return {
    raise: async (tag, name, { at = '', aheadMs, keptMs, until = '' }) => {
      const clock = options.clock?.() ?? ''
      await guard.run(raiseMarkScript, [keyOf(tag, name)], [clock, at, aheadMs, keptMs, until], operation)
    },
    get: async (tag, names) => {
      const values = await guard.call(
        'mget',
        names.map((name) => keyOf(tag, name)),
        operation,
      )
      return (values as (string | null)[]).map((value) => (value === null ? undefined : Number(value)))
    },
  }
}
