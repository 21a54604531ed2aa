import { keyspace, type RedisArgument, type RedisClient, type Script, storeGuard } from '@scale/redis'
import { createScript } from '../lua/create.lua.js'
import { endScript } from '../lua/end.lua.js'
import { endAllScript } from '../lua/end-all.lua.js'
import { listScript } from '../lua/list.lua.js'
import { loadScript } from '../lua/load.lua.js'
import { rotateScript } from '../lua/rotate.lua.js'
import { saveScript } from '../lua/save.lua.js'
import type { LoadedSession } from '../record.js'
import type {
  Change,
  CreateOutcome,
  ListedSession,
  NewSession,
  RotateOutcome,
  Rotation,
  SaveOutcome,
  SessionStore,
} from '../store.js'
import type { SessionRef } from '../token.js'
import { dataField, FORMAT, keyOf, readPacked, readValue } from './fields.js'

/** Options of `redisStore`. */
export interface RedisStoreOptions {
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
 * Sessions in Redis: one hash each, and one sorted set for each user. All keys of a user are in one Cluster slot, and
 * every operation but `list` is one script, so one round trip.
 */
export function redisStore(options: RedisStoreOptions): SessionStore {
  const guard = storeGuard(options.redis)
  const keys = keyspace(options.prefix ?? 'scale', 'session', Number(FORMAT))
  const operation = options.deadlineMs === undefined ? undefined : { deadlineMs: options.deadlineMs }
  const clock = (): string => (options.clock === undefined ? '' : String(options.clock()))

  const indexKey = (tag: string): string => keys.tagged(tag, 'user')
  const sessionKey = ({ tag, id }: SessionRef): string => keys.tagged(tag, 'session', id)
  const run = (script: Script, { tag, id }: SessionRef, ...args: RedisArgument[]): Promise<unknown> =>
    guard.run(script, [sessionKey({ tag, id }), indexKey(tag)], [clock(), id, ...args], operation)

  return {
    load: (ref) => run(loadScript, ref).then(readLoaded),
    create: async (ref, session) => readCreated(await run(createScript, ref, ...createArgs(session))),
    save: async (ref, digest, changes, onConflict, idleTimeoutMs) =>
      readSaved(
        await run(saveScript, ref, digest, onConflict, idleTimeoutMs ?? '', ...changes.flatMap(changeArgs)),
      ),
    rotate: async (ref, digest, rotation) =>
      readRotated(await run(rotateScript, ref, digest, ...rotateArgs(rotation))),
    end: async (ref) => readLoaded(await run(endScript, ref)),
    list: async (tag, limit) => {
      const ids = (await guard.call('zrevrange', [indexKey(tag), 0, limit - 1], operation)) as string[]
      if (ids.length === 0) return []
      const sessions = ids.map((id) => sessionKey({ tag, id }))
      return readList(ids, await guard.run(listScript, sessions, [clock()], operation))
    },
    endAll: async (tag, keepId = '') =>
      (await guard.run(endAllScript, [indexKey(tag)], [clock(), keepId], operation)) as number,
  }
}

function readLoaded(reply: unknown): LoadedSession | undefined {
  return reply === null ? undefined : readPacked(reply as string[])
}

function createArgs(session: NewSession): RedisArgument[] {
  const { quota, evict } = session.maxPerUser ?? { quota: 0, evict: 'oldest' }
  const fields = ['h', session.digest, ...(session.client === '' ? [] : ['m', session.client])]
  for (const [key, text] of session.data) fields.push(dataField(key), `1 ${text}`)
  const { idleTimeoutMs, absoluteTimeoutMs, userId = '' } = session
  return [idleTimeoutMs, absoluteTimeoutMs, userId, quota, evict, ...fields]
}

function readCreated(reply: unknown): CreateOutcome {
  const [nowMs, evicted] = reply as [number, number]
  if (evicted < 0) return { outcome: evicted === -1 ? 'full' : 'exists' }
  return { outcome: 'created', nowMs, evicted }
}

function changeArgs({ key, revision, text }: Change): RedisArgument[] {
  return [dataField(key), revision, text ?? '']
}

function readSaved(reply: unknown): SaveOutcome {
  const [head, ...rest] = reply as [0 | 2 | [1, number, number], ...string[]]
  if (head === 0) return { outcome: 'ended' }
  if (head !== 2) {
    const [, nowMs, revision] = head
    return { outcome: 'saved', nowMs, revision, overwritten: rest.map(keyOf) }
  }
  const current = new Map<string, { revision: number; text: string | undefined }>()
  for (let i = 0; i < rest.length; i += 2) current.set(keyOf(rest[i]!), readValue(rest[i + 1]!))
  return { outcome: 'conflict', current }
}

function rotateArgs({ digest, nonce, graceMs, elevate }: Rotation): RedisArgument[] {
  return [digest, nonce, graceMs, elevate ? '1' : '0']
}

function readRotated(reply: unknown): RotateOutcome {
  const [code, nowMs, nonce] = reply as [number, number, string]
  if (code === 0) return { outcome: 'ended' }
  return code === 1 ? { outcome: 'rotated', nowMs } : { outcome: 'already', nowMs, nonce }
}

function readList(ids: readonly string[], reply: unknown): ListedSession[] {
  const [nowMs, ...rows] = reply as [number, ...(string | null)[][]]
  return rows.flatMap((row, index) => {
    const [v, c, s, a, i, x, m] = row
    if (v !== FORMAT) return []
    const record = {
      createdAt: Number(c),
      lastSeenAt: Number(s),
      authenticatedAt: a === null ? undefined : Number(a),
      idleTimeoutMs: Number(i),
      expiresAt: Number(x),
    }
    const endsAt = Math.min(record.lastSeenAt + record.idleTimeoutMs, record.expiresAt)
    return nowMs < endsAt ? [{ id: ids[index]!, record, client: m ?? '' }] : []
  })
}
