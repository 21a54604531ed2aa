import { endsAt, type LoadedSession, refusalOf, type SessionRecord, type StoredValue } from '../record.js'
import type { Change, SessionStore } from '../store.js'
import type { SessionRef } from '../token.js'

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

  constructor(maxSessions: number, clock: () => number) {
    this.#maxSessions = maxSessions
    this.#clock = clock
  }

  load(ref: SessionRef): LoadedSession | undefined {
    const entry = this.#sessions.get(nameOf(ref))
    if (entry === undefined) return undefined
    const nowMs = this.#clock()
    if (nowMs < endsAt(entry.record)) return { record: entry.record, nowMs, listed: this.#isListed(ref) }
    this.#remove(ref)
    return undefined
  }

  create: SessionStore['create'] = async (ref, session) => {
    if (this.load(ref) !== undefined) return { outcome: 'exists' }
    const nowMs = this.#clock()
    const { userId, idleTimeoutMs, maxPerUser } = session
    let evicted = 0
    if (userId !== undefined) {
      const others = this.#ofUser(ref.tag, nowMs)
      const surplus = maxPerUser === undefined ? 0 : others.length - maxPerUser.quota + 1
      if (surplus > 0 && maxPerUser?.evict === 'reject') return { outcome: 'full' }
      for (const { ref } of others.slice(0, Math.max(0, surplus))) this.#remove(ref)
      evicted = Math.max(0, surplus)
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
      revision: 1,
      data: new Map(data),
    }
    this.#put(ref, record, session.client)
    this.#trim()
    return { outcome: 'created', nowMs, evicted }
  }

  save: SessionStore['save'] = async (ref, digest, changes, onConflict, idleTimeoutMs) => {
    const loaded = this.#opened(ref, digest)
    if (loaded === undefined) return { outcome: 'ended' }
    const { record, nowMs } = loaded
    const changed = changes.filter(({ key, revision }) => revision !== (record.data.get(key)?.revision ?? 0))
    if (changed.length > 0 && onConflict === 'report') {
      return { outcome: 'conflict', current: new Map(changed.map(({ key }) => [key, current(record, key)])) }
    }
    const revision = changes.length === 0 ? record.revision : record.revision + 1
    this.#put(ref, {
      ...record,
      lastSeenAt: nowMs,
      idleTimeoutMs: idleTimeoutMs ?? record.idleTimeoutMs,
      revision,
      data: applied(record.data, changes, revision),
    })
    return { outcome: 'saved', nowMs, revision, overwritten: changed.map(({ key }) => key) }
  }

  rotate: SessionStore['rotate'] = async (ref, digest, rotation) => {
    const loaded = this.#opened(ref, digest)
    if (loaded === undefined) return { outcome: 'ended' }
    const { record, nowMs } = loaded
    if (digest !== record.digest && !rotation.elevate) {
      return { outcome: 'already', nowMs, nonce: record.previous!.nonce }
    }
    const { graceMs, nonce, elevate } = rotation
    this.#put(ref, {
      ...record,
      digest: rotation.digest,
      previous: graceMs > 0 ? { digest, graceUntil: nowMs + graceMs, nonce } : undefined,
      lastSeenAt: nowMs,
      issuedAt: nowMs,
      authenticatedAt: elevate ? nowMs : record.authenticatedAt,
    })
    return { outcome: 'rotated', nowMs }
  }

  end: SessionStore['end'] = async (ref) => {
    const entry = this.#sessions.get(nameOf(ref))
    const listed = this.#isListed(ref)
    this.#remove(ref)
    return entry && { record: entry.record, nowMs: this.#clock(), listed }
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

  #opened(ref: SessionRef, digest: string): LoadedSession | undefined {
    const loaded = this.load(ref)
    return loaded !== undefined && refusalOf(loaded, digest) === undefined ? loaded : undefined
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
    return entries.filter((entry) => !isOver(entry)).sort((a, b) => endsAt(a.record) - endsAt(b.record))
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

function applied(
  data: ReadonlyMap<string, StoredValue>,
  changes: readonly Change[],
  revision: number,
): ReadonlyMap<string, StoredValue> {
  if (changes.length === 0) return data
  const next = new Map(data)
  for (const { key, text } of changes) {
    if (text === undefined) next.delete(key)
    else next.set(key, { revision, text })
  }
  return next
}
