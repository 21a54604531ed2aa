import { hash, randomBytes } from 'node:crypto'
import { keyspace, type RedisClient, type StoreGuard, storeGuard } from '@scale/redis'
import { mergeTexts, setOwn } from '../../data/merge.js'
import { InvalidSessionData, SessionConflict, SessionMisuse } from '../../errors.js'
import type {
  Change,
  CreateOutcome,
  ListedSession,
  NewSession,
  SessionStore,
  SessionWrite,
  WriteOutcome,
  Writer,
} from '../../store.js'
import { FORMAT } from '../../stores/fields.js'
import { readSharedScript, replaceSharedScript } from '../../stores/lua/shared.lua.js'
import { type LoadedSession, refusalOf } from '../../stores/record.js'
import { digestOf, type SessionRef, userTag } from '../../stores/token.js'
import {
  type Blob,
  type BlobCookie,
  blobText,
  loadedOf,
  OURS,
  type OurPart,
  parseBlob,
  storedValue,
  withKeys,
} from './blob.js'

/** What a shared store is made of. */
export interface SharedStoreOptions {
  readonly redis: RedisClient
  /** Of connect-redis. */
  readonly prefix: string
  readonly userIdOf: (data: Record<string, unknown>) => string | undefined
  readonly withUserId: (data: Record<string, unknown>, userId: string) => Record<string, unknown>
  /** Attributes of a new session's cookie, as express-session stores them. */
  readonly attributes: Record<string, unknown>
}

/** What `session()` adds to them. */
export interface SharedStoreSetting {
  /** Where the sessions are that were taken over. */
  readonly taken: SessionStore
  /** Of our own keys. */
  readonly prefix: string
  readonly idleTimeoutMs: number
  readonly absoluteTimeoutMs: number
}

/** The place of a session of express-session: its id, which the cookie signs, and a public name. */
export function sharedRef(sid: string): SessionRef {
  return { tag: sid, id: hash('sha256', `public:${sid}`, 'base64url').slice(0, 16) }
}

/** A new id, as express-session makes them: 192 random bits. */
export function newSid(): string {
  return randomBytes(24).toString('base64url')
}

/** The id that replaces another, made of 256 random bits. */
export function sidOf(nonce: string): string {
  return nonce.slice(0, 32)
}

/** How many writers one writer may meet at one session before it gives up. */
const MOST_TRIES = 100
const LONG = Object.freeze({ patience: 'long' as const })
const INDEX_TTL_MS = 2_592_000_000
const MOST_NOTED = 10_000

/**
 * The sessions of express-session, where connect-redis keeps them and in its form. It is written only what of it this
 * writer has changed, and only if nobody has come between; a session that was destroyed is not brought back.
 *
 * Which sessions a user has is known of those that one of our copies has seen.
 */
export class SharedStore implements SessionStore {
  readonly #options: SharedStoreOptions
  readonly #setting: SharedStoreSetting
  readonly #guard: StoreGuard
  readonly #keys: ReturnType<typeof keyspace>
  /** Ids that are in their user's index. */
  readonly #noted = new Set<string>()

  constructor(options: SharedStoreOptions, setting: SharedStoreSetting) {
    this.#options = options
    this.#setting = setting
    this.#guard = storeGuard(options.redis)
    this.#keys = keyspace(setting.prefix, 'session', Number(FORMAT))
  }

  async load({ tag: sid }: SessionRef): Promise<LoadedSession | undefined> {
    const found = await this.#read(sid)
    if (found === undefined || found.blob.movedTo !== undefined) return undefined
    const { loaded } = found
    const { userId } = loaded.record
    if (refusalOf(loaded, digestOf(sid)) !== undefined) {
      await this.#guard.call('del', [this.#key(sid)], LONG)
      return undefined
    }
    if (userId !== undefined) await this.#note(userId, sid)
    return loaded
  }

  async create({ tag: sid }: SessionRef, session: NewSession): Promise<CreateOutcome> {
    const { userId, persistent, idleTimeoutMs, absoluteTimeoutMs } = session
    const { nowMs } = await this.#now(sid)
    const ours: OurPart = {
      createdAt: nowMs,
      expiresAt: nowMs + absoluteTimeoutMs,
      ...(userId === undefined ? {} : { authenticatedAt: nowMs }),
      revision: 1,
      keys: {},
    }
    const cookie: BlobCookie = {
      ...this.#options.attributes,
      originalMaxAge: persistent === true ? idleTimeoutMs : null,
    }
    const data: Record<string, unknown> = {}
    for (const [key, text] of session.data) setOwn(data, checked(key), JSON.parse(text))
    const text = blobText(
      cookie,
      this.#withUser(data, userId),
      withKeys(ours, 1, new Map(session.data.map(([key, text]) => [key, text]))),
    )
    if (!(await this.#replace(sid, '', text, idleTimeoutMs))) return { outcome: 'exists' }
    if (userId !== undefined) await this.#note(userId, sid)
    return { outcome: 'created', nowMs, evicted: 0, replaced: undefined }
  }

  async write({ tag: sid }: SessionRef, _writer: Writer, write: SessionWrite): Promise<WriteOutcome> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const found = await this.#read(sid)
      if (found === undefined || found.blob.movedTo !== undefined) return { outcome: 'ended' }
      const made = changed(found, write)
      if ('outcome' in made) return made
      const { record } = found.loaded
      const idleTimeoutMs = write.lifetime?.idleTimeoutMs ?? record.idleTimeoutMs
      const { rotation } = write
      const isWritten =
        rotation === undefined
          ? await this.#replace(sid, found.text, made.text ?? found.text, idleTimeoutMs)
          : await this.#rename(sid, found.text, sidOf(rotation.nonce), made.text!, idleTimeoutMs)
      if (!isWritten) continue
      const { met, revision, ours } = made
      const { nowMs } = found.loaded
      if (rotation !== undefined && record.userId !== undefined) {
        await this.#note(record.userId, sidOf(rotation.nonce))
      }
      return {
        outcome: 'written',
        nowMs,
        revision,
        expiresAt: ours?.expiresAt ?? record.expiresAt,
        met,
        nonce: rotation?.nonce,
      }
    }
    throw new SessionConflict((write.changes ?? []).map(({ key }) => key))
  }

  async end(ref: SessionRef): Promise<LoadedSession | undefined> {
    const sid = await this.#sidOf(ref)
    if (sid === undefined) return undefined
    const found = await this.#read(sid)
    await this.#guard.call('del', [this.#key(sid)], LONG)
    if (found === undefined) return undefined
    // A copy that has gone further took it over meanwhile: a logout holds there as well.
    const { movedTo } = found.blob
    if (movedTo !== undefined) {
      return this.#setting.taken.end({ tag: movedTo.slice(0, -16), id: movedTo.slice(-16) })
    }
    return found.loaded
  }

  async list(tag: string, limit: number): Promise<ListedSession[]> {
    const sessions = await this.#ofUser(tag)
    return sessions
      .map(({ sid, loaded: { record } }) => ({ id: sharedRef(sid).id, record, client: '' }))
      .sort((a, b) => b.record.lastSeenAt - a.record.lastSeenAt)
      .slice(0, limit)
  }

  async endAll(tag: string, keepId?: string): Promise<number> {
    const sids = (await this.#ofUser(tag)).map(({ sid }) => sid).filter((sid) => sharedRef(sid).id !== keepId)
    const ended = await Promise.all(sids.map((sid) => this.end(sharedRef(sid))))
    return ended.filter((session) => session !== undefined).length
  }

  #withUser(data: Record<string, unknown>, userId: string | undefined): Record<string, unknown> {
    if (userId === undefined) return data
    const withUser = this.#options.withUserId(data, userId)
    if (this.#options.userIdOf(withUser) === userId) return withUser
    throw new SessionMisuse(
      'connectRedis: `userIdOf` does not find the user that `shared.withUserId` has set.',
    )
  }

  #key(sid: string): string {
    return this.#options.prefix + sid
  }

  async #now(sid: string): Promise<{ nowMs: number; ttlMs: number; text: string | null }> {
    const reply = await this.#guard.run(readSharedScript, [this.#key(sid)], [], LONG)
    const [nowMs, ttlMs, text] = reply as [number, number, string | null]
    return { nowMs, ttlMs, text }
  }

  async #read(sid: string): Promise<{ text: string; blob: Blob; loaded: LoadedSession } | undefined> {
    const { text, ...read } = await this.#now(sid)
    if (text === null) return undefined
    const blob = parseBlob(text)
    const { idleTimeoutMs, absoluteTimeoutMs } = this.#setting
    const { userIdOf } = this.#options
    return {
      text,
      blob,
      loaded: loadedOf(blob, { ...read, sid, idleTimeoutMs, absoluteTimeoutMs, userIdOf }),
    }
  }

  async #replace(sid: string, before: string, after: string, ttlMs: number): Promise<boolean> {
    const args = [before, after, Math.ceil(ttlMs)]
    return (await this.#guard.run(replaceSharedScript, [this.#key(sid)], args, LONG)) === 1
  }

  /** The old id is dead when the new one is there; who has written in between is not overwritten. */
  async #rename(sid: string, before: string, next: string, after: string, ttlMs: number): Promise<boolean> {
    if (!(await this.#replace(sid, before, after, ttlMs))) return false
    await this.#replace(next, '', after, ttlMs)
    await this.#guard.call('del', [this.#key(sid)], LONG)
    return true
  }

  #indexOf(tag: string): string {
    return this.#keys.tagged(tag, 'shared')
  }

  async #note(userId: string, sid: string): Promise<void> {
    const noted = `${sid} ${userId}`
    if (this.#noted.has(noted)) return
    const index = this.#indexOf(userTag(userId))
    await Promise.all([
      this.#guard.call('sadd', [index, sid], LONG),
      this.#guard.call('pexpire', [index, INDEX_TTL_MS], LONG),
    ])
    if (this.#noted.size >= MOST_NOTED) this.#noted.clear()
    this.#noted.add(noted)
  }

  async #sidOf({ tag, id }: SessionRef): Promise<string | undefined> {
    if (sharedRef(tag).id === id) return tag
    return (await this.#ofUser(tag)).find(({ sid }) => sharedRef(sid).id === id)?.sid
  }

  /** A user's sessions that there still are; the others leave the index. */
  async #ofUser(tag: string): Promise<{ sid: string; loaded: LoadedSession }[]> {
    const sids = (await this.#guard.call('smembers', [this.#indexOf(tag)], LONG)) as string[]
    const found: { sid: string; loaded: LoadedSession }[] = []
    await Promise.all(
      sids.map(async (sid) => {
        const read = await this.#read(sid)
        const userId = read?.blob.movedTo === undefined ? read?.loaded.record.userId : undefined
        if (userId !== undefined && userTag(userId) === tag) found.push({ sid, loaded: read!.loaded })
        else await this.#guard.call('srem', [this.#indexOf(tag), sid], LONG)
      }),
    )
    return found
  }
}

interface Made {
  /** `undefined`: as it was. */
  readonly text: string | undefined
  readonly ours: OurPart | undefined
  readonly revision: number
  readonly met: ReadonlyMap<string, string | undefined>
}

/** What a write makes of a session. */
function changed(
  { blob, loaded }: { blob: Blob; loaded: LoadedSession },
  { changes = [], onConflict, maxBytes = 0, lifetime, rotation }: SessionWrite,
): Made | WriteOutcome {
  const { record, nowMs } = loaded
  const isTouch = changes.length === 0 && lifetime === undefined && rotation === undefined
  if (isTouch) return { text: undefined, ours: undefined, revision: 0, met: new Map() }
  const data: Record<string, unknown> = { ...blob.data }
  const current = new Map<string, { revision: number; text: string | undefined }>()
  const met = new Map<string, string | undefined>()
  const written = new Map<string, string | undefined>()
  for (const change of changes) {
    const key = checked(change.key)
    const there = Object.hasOwn(data, key) ? storedValue(blob.ours, key, data[key]) : undefined
    const isMet = (there?.revision ?? 0) !== change.revision
    if (isMet) current.set(key, { revision: there?.revision ?? 0, text: there?.text })
    const text = isMet && onConflict === 'merge' ? merged(change, there?.text) : change.text
    if (isMet) met.set(key, text)
    written.set(key, text)
    if (text === undefined) delete data[key]
    else setOwn(data, key, JSON.parse(text))
  }
  if (onConflict === 'report' && current.size > 0) return { outcome: 'conflict', current }
  const bytes = bytesOf(data)
  if (changes.length > 0 && maxBytes > 0 && bytes > maxBytes) return { outcome: 'too-large', bytes }
  const revision = record.revision + 1
  const before: OurPart = blob.ours ?? {
    createdAt: record.createdAt,
    expiresAt: record.expiresAt,
    revision: 1,
    keys: {},
  }
  const ours: OurPart = {
    ...withKeys(before, revision, written),
    ...(lifetime?.absoluteTimeoutMs === undefined ? {} : { expiresAt: nowMs + lifetime.absoluteTimeoutMs }),
    ...(rotation?.elevate === true ? { authenticatedAt: nowMs } : {}),
  }
  const cookie = cookieOf(blob.cookie, lifetime)
  return { text: blobText(cookie, data, ours), ours, revision: changes.length > 0 ? revision : 0, met }
}

/** Objects are joined member by member; of anything else, the later write wins. */
function merged({ text, base }: Change, theirs: string | undefined): string | undefined {
  return text?.startsWith('{') === true && theirs?.startsWith('{') === true
    ? mergeTexts(base, text, theirs)
    : text
}

function cookieOf(cookie: BlobCookie, lifetime: SessionWrite['lifetime']): BlobCookie {
  if (lifetime?.persistent === undefined) return cookie
  return lifetime.persistent
    ? { ...cookie, originalMaxAge: lifetime.idleTimeoutMs }
    : { ...cookie, originalMaxAge: null, expires: null }
}

function bytesOf(data: Record<string, unknown>): number {
  let bytes = 0
  for (const [key, value] of Object.entries(data)) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(JSON.stringify(value))
  }
  return bytes
}

/** @throws {InvalidSessionData} a key that express-session has itself */
function checked(key: string): string {
  if (key !== 'cookie' && key !== OURS) return key
  throw new InvalidSessionData(
    `\`${key}\` means something else to express-session, with which it is shared`,
    {
      keys: [key],
    },
  )
}
