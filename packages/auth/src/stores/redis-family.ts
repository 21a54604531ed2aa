import {
  keyspace,
  type OperationOptions,
  type RedisArgument,
  type RedisClient,
  type Script,
  storeGuard,
} from '@scale/redis'
import type { FamilyRef } from '../issuer/refresh-token.js'
import type { FamilyStore, ListedFamily, RotateOutcome } from './family-store.js'
import { createFamilyScript } from './lua/create-family.lua.js'
import { endFamiliesScript } from './lua/end-families.lua.js'
import { endFamilyScript } from './lua/end-family.lua.js'
import { listFamiliesScript } from './lua/list-families.lua.js'
import { listIdsScript } from './lua/list-ids.lua.js'
import { rotateFamilyScript } from './lua/rotate-family.lua.js'

/** Options of `redisFamilyStore`. */
export interface RedisFamilyStoreOptions {
  /** An ioredis client, standalone, Sentinel or Cluster. */
  redis: RedisClient
  /** Sets apps on one Redis apart. Default `scale` */
  prefix?: string
  /** Longest wait for a reply, in ms. Default: the client's guard's */
  deadlineMs?: number
  /** For tests: the time, in ms. Default: the server's own clock */
  clock?: () => number
}

/**
 * Families in Redis: one hash each, and one sorted set for each user. All keys of a user are in one Cluster slot, and
 * every operation but `list` is one script, so one round trip.
 */
export function redisFamilyStore(options: RedisFamilyStoreOptions): FamilyStore {
  const guard = storeGuard(options.redis)
  const keys = keyspace(options.prefix ?? 'scale', 'auth', 1)
  const operation: OperationOptions =
    options.deadlineMs === undefined ? { patience: 'long' } : { deadlineMs: options.deadlineMs }
  const clock = (): string => (options.clock === undefined ? '' : String(options.clock()))

  const indexKey = (tag: string): string => keys.tagged(tag, 'user')
  const familyKey = (tag: string, id: string): string => keys.tagged(tag, 'family', id)
  const run = (script: Script, { tag, id }: FamilyRef, ...args: RedisArgument[]): Promise<unknown> =>
    guard.run(script, [familyKey(tag, id), indexKey(tag)], [clock(), id, ...args], operation)

  return {
    create: async (ref, family) => {
      const { digest, userId, idleTimeoutMs, absoluteTimeoutMs, grant, device, maxPerUser, boundTo } = family
      const times = [idleTimeoutMs, absoluteTimeoutMs]
      const args = [digest, userId, ...times, grant, device, maxPerUser, boundTo]
      return (await run(createFamilyScript, ref, ...args)) as number
    },
    rotate: async (ref, digest, { digest: successor, nonce, graceMs, provedKey }) =>
      readRotated(await run(rotateFamilyScript, ref, digest, successor, nonce, graceMs, provedKey)),
    end: async (ref) => ((await run(endFamilyScript, ref)) as string | null) ?? undefined,
    forget: async ({ tag, id }) => {
      await guard.call('unlink', [familyKey(tag, id)], operation)
    },
    list: async (tag, limit, after = '') => {
      const ids = (await guard.run(listIdsScript, [indexKey(tag)], [limit, after], operation)) as string[]
      if (ids.length === 0) return []
      const families = ids.map((id) => familyKey(tag, id))
      return readList(ids, await guard.run(listFamiliesScript, families, [clock()], operation))
    },
    endAll: async (tag) => {
      const reply = await guard.run(endFamiliesScript, [indexKey(tag)], [clock()], operation)
      const [count, nowMs] = reply as [number, number]
      return { count, nowMs }
    },
  }
}

function readRotated(reply: unknown): RotateOutcome {
  const [code, ...rest] = reply as [number, ...unknown[]]
  if (code === 0) return { outcome: 'unknown' }
  if (code === 4) return { outcome: 'other-key' }
  if (code === 3) return { outcome: 'reused', userId: rest[0] as string }
  const [nowMs, userId, createdAt, expiresAt, grant, nonce] = rest as [
    number,
    string,
    number,
    number,
    string,
    string,
  ]
  const family = { userId, createdAt, expiresAt, grant }
  return code === 1 ? { outcome: 'rotated', nowMs, family } : { outcome: 'repeated', nowMs, nonce, family }
}

function readList(ids: readonly string[], reply: unknown): ListedFamily[] {
  return (reply as ([] | [number, number, number, string])[]).flatMap((row, index) => {
    if (row.length === 0) return []
    const [createdAt, refreshedAt, expiresAt, device] = row
    return [{ id: ids[index]!, createdAt, refreshedAt, expiresAt, device }]
  })
}
