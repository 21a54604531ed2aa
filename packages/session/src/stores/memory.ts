import { mergeTexts } from '../data/merge.js'
import type { Change, Loading, PlaceMark, SessionStore } from '../store.js'
import { ENDED_LATELY_MS } from './lua/prelude.lua.js'
import {
  elevatedAt,
  endsAt,
  type LoadedSession,
  refusalOf,
  type SessionRecord,
  type StoredValue,
} from './record.js'
import { newMarkKey, type SessionRef } from './token.js'

/** Options of `memoryStore`. */
export interface MemoryStoreOptions {
  /** Sessions at a time; above it the one that was not used for the longest time goes. Default 10,000 */
  maxSessions?: number
  /** The time, in ms. Default `Date.now` */
  clock?: () => number
}

/** Sessions in this process: for tests, for a first try, and for the one process that is all there is. */
export function memoryStore(options: MemoryStoreOptions = {}): SessionStore {
  return new MemoryStore(options.maxSessions ?? 10_000, options.clock ?? Date.now)
}

interface Entry {
  ref: SessionRef
  client: string
  record: SessionRecord
}

class MemoryStore implements SessionStore {
  readonly #maxSessions: number
  readonly #clock: () => number
  /** By tag and id; the last used at the end. */
  readonly #sessions = new Map<string, Entry>()
  /** By tag, the ids of the sessions of one user. */
  readonly #users = new Map<string, Set<string>>()
  /** By tag and id, until when it is known that a request ended it. */
  readonly #ended = new Map<string, number>()
  /** Nothing is older than this store. */
  readonly #mark: PlaceMark = { key: newMarkKey(), isComplete: true }

  constructor(maxSessions: number, clock: () => number) {
    this.#maxSessions = maxSessions
    this.#clock = clock
  }

  load: SessionStore['load'] = (ref, use): Loading => {
    const loaded = this.#alive(ref)
    if (loaded === undefined) return this.#endedLately(ref) ? 'ended' : undefined
    const { record, nowMs } = loaded
    const { previous } = record
    if (use?.digest === record.digest && previous?.isConfirmed === false) {
      const endsAt = Math.min(nowMs + use.overlapMs, record.expiresAt)
      this.#put(ref, { ...record, issuedAt: nowMs, previous: { ...previous, endsAt, isConfirmed: true } })
    }
    return loaded
  }

  create: SessionStore['create'] = async (ref, session) => {
    if (this.#alive(ref) !== undefined || this.#endedLately(ref)) return { outcome: 'exists' }
    const nowMs = this.#clock()
    const { userId, idleTimeoutMs, maxPerUser, replaces } = session
    let evicted = 0
    let replaced: LoadedSession | undefined
    if (userId !== undefined) {
      const others = this.#ofUser(ref.tag, nowMs).filter(({ ref }) => ref.id !== replaces)
      const surplus = maxPerUser === undefined ? 0 : others.length - maxPerUser.quota + 1
      if (surplus > 0 && maxPerUser?.evict === 'reject') return { outcome: 'full' }
      for (const { ref } of others.slice(0, Math.max(0, surplus))) this.#remove(ref)
      evicted = Math.max(0, surplus)
      if (replaces !== undefined) replaced = await this.end({ tag: ref.tag, id: replaces })
      this.#users.set(ref.tag, (this.#users.get(ref.tag) ?? new Set()).add(ref.id))
    }
    const data = session.data.map(([key, text]): [string, StoredValue] => [key, { revision: 1, text }])
    const record: SessionRecord = {
      digest: session.digest,
      previous: undefined,
      createdAt: nowMs,
      lastSeenAt: nowMs,
      issuedAt: nowMs,
      idleTimeoutMs,
      expiresAt: nowMs + session.absoluteTimeoutMs,
      userId,
      authenticatedAt: userId === undefined ? undefined : nowMs,
      persistent: session.persistent,
      revision: 1,
      data: new Map(data),
    }
    this.#put(ref, record, session.client)
    this.#trim()
    return { outcome: 'created', nowMs, evicted, replaced }
  }

  write: SessionStore['write'] = async (ref, { digest, openedWhen }, write) => {
    const loaded = this.#alive(ref)
    if (loaded === undefined || refusalOf(loaded, digest, openedWhen) !== undefined)
      return { outcome: 'ended' }
    const { record, nowMs } = loaded
    const { changes = [], onConflict, maxBytes = 0, lifetime, rotation } = write
    const changed = changes.filter(({ key, revision }) => revision !== (record.data.get(key)?.revision ?? 0))
    if (changed.length > 0 && onConflict === 'report') {
      return { outcome: 'conflict', current: new Map(changed.map(({ key }) => [key, current(record, key)])) }
    }
    const met = new Map(changed.map((change) => [change.key, joined(record, change, onConflict)]))
    const revision = changes.length === 0 ? 0 : record.revision + 1
    const data = applied(record.data, changes, met, revision)
    const bytes = bytesOf(data)
    if (changes.length > 0 && maxBytes > 0 && bytes > maxBytes) return { outcome: 'too-large', bytes }
    const { absoluteTimeoutMs } = lifetime ?? {}
    const kept: SessionRecord = {
      ...record,
      lastSeenAt: nowMs,
      idleTimeoutMs: lifetime?.idleTimeoutMs ?? record.idleTimeoutMs,
      expiresAt: absoluteTimeoutMs === undefined ? record.expiresAt : nowMs + absoluteTimeoutMs,
      persistent: lifetime?.persistent ?? record.persistent,
      revision: Math.max(revision, record.revision),
      data,
    }
    const isOld = digest !== record.digest
    const isReplaceable = !isOld || (refusalOf(loaded, digest) === undefined && !record.previous!.isConfirmed)
    const rotates = rotation !== undefined && isReplaceable
    const isFirst = rotates && (!isOld || rotation.elevate)
    this.#put(
      ref,
      isFirst
        ? {
            ...kept,
            digest: rotation.digest,
            issuedAt: nowMs,
            authenticatedAt: rotation.elevate ? elevatedAt(record, nowMs) : record.authenticatedAt,
            previous: rotation.elevate
              ? undefined
              : { digest, endsAt: kept.expiresAt, nonce: rotation.nonce, isConfirmed: false },
          }
        : kept,
    )
    const nonce = isFirst ? rotation.nonce : rotates ? record.previous!.nonce : undefined
    return { outcome: 'written', nowMs, revision, expiresAt: kept.expiresAt, met, nonce }
  }

  end: SessionStore['end'] = async (ref) => {
    const entry = this.#sessions.get(nameOf(ref))
    const listed = this.#isListed(ref)
    this.#remove(ref)
    if (entry === undefined) return undefined
    const nowMs = this.#clock()
    this.#ended.set(nameOf(ref), nowMs + ENDED_LATELY_MS)
    for (const name of this.#ended.keys()) {
      if (this.#ended.size <= this.#maxSessions) break
      this.#ended.delete(name)
    }
    return { record: entry.record, nowMs, listed }
  }

  list: SessionStore['list'] = async (tag, limit) =>
    this.#ofUser(tag, this.#clock())
      .reverse()
      .slice(0, limit)
      .map(({ ref, record, client }) => ({ id: ref.id, record, client }))

  endAll: SessionStore['endAll'] = async (tag, keepId) => {
    const ended = this.#ofUser(tag, this.#clock()).filter(({ ref }) => ref.id !== keepId)
    for (const { ref } of ended) this.#remove(ref)
    return ended.length
  }

  mark = async (): Promise<PlaceMark> => this.#mark

  #alive(ref: SessionRef): LoadedSession | undefined {
    const entry = this.#sessions.get(nameOf(ref))
    if (entry === undefined) return undefined
    const nowMs = this.#clock()
    if (nowMs < endsAt(entry.record)) return { record: entry.record, nowMs, listed: this.#isListed(ref) }
    this.#remove(ref)
    return undefined
  }

  #endedLately(ref: SessionRef): boolean {
    return (this.#ended.get(nameOf(ref)) ?? 0) > this.#clock()
  }

  #isListed({ tag, id }: SessionRef): boolean {
    return this.#users.get(tag)?.has(id) === true
  }

  /** A user's sessions, the last used at the end. Those past their time are removed. */
  #ofUser(tag: string, nowMs: number): Entry[] {
    const entries = [...(this.#users.get(tag) ?? [])].flatMap((id) => {
      const entry = this.#sessions.get(nameOf({ tag, id }))
      return entry === undefined ? [] : [entry]
    })
    const isOver = ({ record }: Entry): boolean => nowMs >= endsAt(record)
    for (const { ref } of entries.filter(isOver)) this.#remove(ref)
    return entries.filter((entry) => !isOver(entry)).sort((a, b) => a.record.lastSeenAt - b.record.lastSeenAt)
  }

  #put(
    ref: SessionRef,
    record: SessionRecord,
    client: string = this.#sessions.get(nameOf(ref))?.client ?? '',
  ): void {
    this.#sessions.delete(nameOf(ref))
    this.#sessions.set(nameOf(ref), { ref, record, client })
  }

  #remove(ref: SessionRef): void {
    this.#sessions.delete(nameOf(ref))
    const ids = this.#users.get(ref.tag)
    ids?.delete(ref.id)
    if (ids?.size === 0) this.#users.delete(ref.tag)
  }

  #trim(): void {
    for (const { ref } of this.#sessions.values()) {
      if (this.#sessions.size <= this.#maxSessions) return
      this.#remove(ref)
    }
  }
}

function nameOf({ tag, id }: SessionRef): string {
  return tag + id
}

function current(record: SessionRecord, key: string): { revision: number; text: string | undefined } {
  return record.data.get(key) ?? { revision: 0, text: undefined }
}

/** What becomes of a change to a key that somebody else has changed. */
function joined(
  record: SessionRecord,
  { key, base, text }: Change,
  onConflict: 'overwrite' | 'merge' | 'report',
): string | undefined {
  const isObject = text?.startsWith('{') === true
  return onConflict === 'merge' && isObject ? mergeTexts(base, text, record.data.get(key)?.text) : text
}

function applied(
  data: ReadonlyMap<string, StoredValue>,
  changes: readonly Change[],
  met: ReadonlyMap<string, string | undefined>,
  revision: number,
): ReadonlyMap<string, StoredValue> {
  if (changes.length === 0) return data
  const next = new Map(data)
  for (const { key, text: wanted } of changes) {
    const text = met.has(key) ? met.get(key) : wanted
    if (text === undefined) next.delete(key)
    else next.set(key, { revision, text })
  }
  return next
}

function bytesOf(data: ReadonlyMap<string, StoredValue>): number {
  let bytes = 0
  for (const [key, { text }] of data) bytes += Buffer.byteLength(key) + Buffer.byteLength(text)
  return bytes
}
