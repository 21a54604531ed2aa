import {
  keyspace,
  type OperationOptions,
  type RedisArgument,
  type RedisClient,
  type Script,
  storeGuard,
} from '@scale/redis'
import type {
  CreateOutcome,
  ListedSession,
  Loading,
  NewSession,
  SessionStore,
  SessionWrite,
  WriteOutcome,
} from '../store.js'
import { dataField, FORMAT, keyOf, readPacked, readValue } from './fields.js'
import { createScript } from './lua/create.lua.js'
import { endScript } from './lua/end.lua.js'
import { endAllScript } from './lua/end-all.lua.js'
import { listScript } from './lua/list.lua.js'
import { loadScript } from './lua/load.lua.js'
import { markScript } from './lua/mark.lua.js'
import { writeScript } from './lua/write.lua.js'
import { endsAt, type LoadedSession } from './record.js'
import { newMarkKey, type SessionRef } from './token.js'

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
 * every operation is one script, so one round trip.
 */
export function redisStore(options: RedisStoreOptions): SessionStore {
  const guard = storeGuard(options.redis)
  const keys = keyspace(options.prefix ?? 'scale', 'session', Number(FORMAT))
  const operation: OperationOptions =
    options.deadlineMs === undefined ? { patience: 'long' } : { deadlineMs: options.deadlineMs }
  const clock = (): string => (options.clock === undefined ? '' : String(options.clock()))

  const indexKey = (tag: string): string => keys.tagged(tag, 'user')
  const sessionKey = ({ tag, id }: SessionRef): string => keys.tagged(tag, 'session', id)
  const run = (script: Script, { tag, id }: SessionRef, ...args: RedisArgument[]): Promise<unknown> =>
    guard.run(script, [sessionKey({ tag, id }), indexKey(tag)], [clock(), id, ...args], operation)

  return {
    load: (ref, use) => run(loadScript, ref, use?.digest ?? '', use?.overlapMs ?? 0).then(readLoading),
    create: async (ref, session) => {
      const { tag, id } = ref
      const places = [sessionKey(ref), indexKey(tag), sessionKey({ tag, id: session.replaces ?? id })]
      return readCreated(
        await guard.run(createScript, places, [clock(), id, ...createArgs(session)], operation),
      )
    },
    write: async (ref, { digest, openedWhen = '' }, write) =>
      readWritten(await run(writeScript, ref, digest, openedWhen, ...writeArgs(write))),
    end: async (ref) => readLoaded(await run(endScript, ref)),
    list: async (tag, limit) => {
      const begin = sessionKey({ tag, id: '-' }).slice(0, -1)
      return readList(await guard.run(listScript, [indexKey(tag)], [clock(), limit, begin], operation))
    },
    endAll: async (tag, keepId = '') =>
      (await guard.run(endAllScript, [indexKey(tag)], [clock(), keepId], operation)) as number,
    mark: async () => {
      const args = [newMarkKey(), MARK_TTL_MS]
      const key = await guard.run(markScript, [keys.plain('mark')], args, operation)
      return { key: key as string, isComplete: false }
    },
  }
}

/** The key of the marks is kept this long without any process that starts: ten years. */
const MARK_TTL_MS = 315_360_000_000

function readLoading(reply: unknown): Loading {
  return reply === 'ended' ? 'ended' : readLoaded(reply)
}

function readLoaded(reply: unknown): LoadedSession | undefined {
  return reply === null ? undefined : readPacked(reply as string[])
}

function createArgs(session: NewSession): RedisArgument[] {
  const { idleTimeoutMs, absoluteTimeoutMs, userId = '', client, persistent, replaces = '' } = session
  const { quota, evict } = session.maxPerUser ?? { quota: 0, evict: 'oldest' }
  const fields = ['h', session.digest]
  if (client !== '') fields.push('m', client)
  if (persistent !== undefined) fields.push('w', flag(persistent))
  for (const [key, text] of session.data) fields.push(dataField(key), `1 ${text}`)
  return [idleTimeoutMs, absoluteTimeoutMs, userId, quota, evict, replaces, ...fields]
}

function readCreated(reply: unknown): CreateOutcome {
  const [nowMs, evicted, replaced] = reply as [number, number, string[] | null]
  if (evicted < 0) return { outcome: evicted === -1 ? 'full' : 'exists' }
  return { outcome: 'created', nowMs, evicted, replaced: readLoaded(replaced) }
}

function writeArgs({
  changes = [],
  onConflict,
  maxBytes = 0,
  lifetime,
  rotation,
}: SessionWrite): RedisArgument[] {
  const args: RedisArgument[] = [onConflict, maxBytes, changes.length]
  for (const { key, revision, text = '', base = '' } of changes)
    args.push(dataField(key), revision, text, base)
  if (lifetime !== undefined || rotation !== undefined) {
    const { idleTimeoutMs = '', absoluteTimeoutMs = '', persistent } = lifetime ?? {}
    args.push(idleTimeoutMs, absoluteTimeoutMs, persistent === undefined ? '' : flag(persistent))
  }
  if (rotation !== undefined) args.push(rotation.digest, rotation.nonce, flag(rotation.elevate))
  return args
}

function readWritten(reply: unknown): WriteOutcome {
  const [code, ...rest] = reply as [0 | 1 | 2 | 3, ...(string | number)[]]
  if (code === 0) return { outcome: 'ended' }
  if (code === 3) return { outcome: 'too-large', bytes: Number(rest[0]) }
  if (code === 2) return { outcome: 'conflict', current: new Map(pairs(rest, readValue)) }
  const [nowMs, revision, nonce, expiresAt] = rest
  const met =
    rest.length === 4 ? NONE : new Map(pairs(rest.slice(4), (text) => (text === '' ? undefined : text)))
  return {
    outcome: 'written',
    nowMs: Number(nowMs),
    revision: Number(revision),
    expiresAt: Number(expiresAt),
    met,
    nonce: nonce === '' ? undefined : String(nonce),
  }
}

const NONE: ReadonlyMap<string, undefined> = new Map()

function pairs<Value>(
  flat: readonly unknown[],
  read: (text: string) => Value,
): [key: string, value: Value][] {
  const all: [string, Value][] = []
  for (let i = 0; i < flat.length; i += 2) all.push([keyOf(flat[i] as string), read(flat[i + 1] as string)])
  return all
}

function flag(value: boolean): string {
  return value ? '1' : '0'
}

function readList(reply: unknown): ListedSession[] {
  const [nowMs, ...rows] = reply as [number, ...(string | null)[][]]
  return rows.flatMap((row) => {
    const [id, v, c, s, a, i, x, m] = row
    if (v !== FORMAT) return []
    const record = {
      createdAt: Number(c),
      lastSeenAt: Number(s),
      authenticatedAt: a === null ? undefined : Number(a),
      idleTimeoutMs: Number(i),
      expiresAt: Number(x),
    }
    return nowMs < endsAt(record) ? [{ id: id!, record, client: m ?? '' }] : []
  })
}
