import { type StoreGuard, storeGuard } from '@scale/redis'
import { type UnreadableMessage, unreadableChannel } from '../channels.js'
import { plainCodec } from '../data/codec.js'
import { StoredData } from '../data/stored-data.js'
import { writeSession } from '../data/write.js'
import { SessionEnded } from '../errors.js'
import type { SessionStore } from '../store.js'
import { type LoadedSession, refusalOf } from '../stores/record.js'
import { redisStore } from '../stores/redis.js'
import { BaseStore, type Declared, type StoredSession } from './base-store.js'
import { type RedisStoreOptions, resolveRedisStoreOptions } from './options.js'
import { placeOf, SHARDS, USER } from './places.js'

/** Called with the outcome; without one, a promise gives it. */
export type StoreCallback<Result = void> = (error: unknown, result?: Result) => void

/** What was read of a session, to compare with what is to be written. */
interface Read {
  data: StoredData
  idleTimeoutMs: number
  touchIsDue: boolean
}

/** Sessions of express-session have no absolute end. */
const TEN_YEARS_MS = 315_360_000_000
const MAX_DATA_BYTES = 16_777_216
const TOUCH_AFTER_RATIO = 0.1

/**
 * A store for express-session, in the place of that of connect-redis: `new RedisStore({ client })`.
 *
 * Of a session that a request has read, only the top-level keys are written that it changed, and only if the session
 * still exists: parallel requests lose nothing, and a session that was destroyed stays so. Session ids are stored
 * only as SHA-256.
 *
 * Every method takes a callback, or returns a promise.
 */
export class RedisStore extends BaseStore {
  /** As they were given. */
  readonly client: RedisStoreOptions['client']
  readonly prefix: string
  readonly ttl: NonNullable<RedisStoreOptions['ttl']>
  readonly #options: ReturnType<typeof resolveRedisStoreOptions>
  readonly #store: SessionStore
  readonly #guard: StoreGuard
  /** By the objects that were handed out: what `get` returned, and the session that was made of it. */
  readonly #reads = new WeakMap<object, Read>()

  constructor(options: RedisStoreOptions) {
    super()
    this.#options = resolveRedisStoreOptions(options)
    const { redis, prefix, ttl } = this.#options
    this.client = options.client
    this.prefix = prefix
    this.ttl = ttl
    this.#guard = storeGuard(redis)
    this.#store = redisStore({ redis, prefix: prefix.replace(/:$/, '') || 'sess' })
  }

  /** A session as express-session stored it; null if there is none. */
  override get(sid: string, callback?: StoreCallback<Declared>): Promise<Declared> {
    return answered(this.#get(sid), callback)
  }

  /**
   * Writes a session: what changed since it was read, or all of it if it was not.
   *
   * @throws {SessionEnded} it was read by this request, and is no more
   */
  set(sid: string, session: Declared, callback?: StoreCallback): Promise<void> {
    return answered(this.#set(sid, session), callback)
  }

  /** Marks a session as used. Costs nothing where it was marked lately. */
  touch(sid: string, session: Declared, callback?: StoreCallback): Promise<void> {
    return answered(this.#touch(sid, session), callback)
  }

  /** Ends a session. */
  override destroy(sid: string, callback?: StoreCallback): Promise<void> {
    return answered(this.#destroy(sid), callback)
  }

  /** All sessions. Their ids are not stored: `id` is a public name. Reads every session: not for a request. */
  all(callback?: StoreCallback<Declared[]>): Promise<Declared[]> {
    return answered(this.#all(), callback)
  }

  /** The public names of all sessions: their ids are not stored. */
  async ids(): Promise<string[]> {
    return (await ofEachShard((tag) => this.#store.list(tag, 10_000))).flat().map(({ id }) => id)
  }

  /** How many sessions there are, of up to 10,000 in each of 256 parts. */
  length(callback?: StoreCallback<number>): Promise<number> {
    const counts = ofEachShard(async (tag) => (await this.#store.list(tag, 10_000)).length)
    return answered(
      counts.then((all) => all.reduce((sum, count) => sum + count, 0)),
      callback,
    )
  }

  /** Ends all sessions, however many, in 256 steps. */
  clear(callback?: StoreCallback): Promise<void> {
    return answered(
      ofEachShard((tag) => this.#store.endAll(tag)).then(() => undefined),
      callback,
    )
  }

  override createSession(req: Declared, stored: Declared): Declared {
    const read = this.#reads.get(stored)
    const session = super.createSession(req, stored)
    if (read !== undefined) this.#reads.set(session, read)
    return session
  }

  async #get(sid: string): Promise<StoredSession | null> {
    const loaded = (await this.#load(sid)) ?? (await this.#takeOver(sid))
    if (loaded === undefined) return null
    const read = readOf(loaded)
    const session = sessionOf(read.data, loaded)
    this.#reads.set(session, read)
    return session
  }

  async #load(sid: string): Promise<LoadedSession | undefined> {
    const { ref, digest } = placeOf(sid)
    const loaded = await this.#store.load(ref)
    return typeof loaded === 'object' && refusalOf(loaded, digest) === undefined ? loaded : undefined
  }

  async #set(sid: string, session: StoredSession): Promise<void> {
    const idleTimeoutMs = this.#idleTimeoutMs(session)
    if (idleTimeoutMs <= 0) return this.#destroy(sid)
    const value = plainOf(session)
    const known = this.#reads.get(session)
    if (known === undefined && (await this.#create(sid, value, idleTimeoutMs))) {
      this.#remember(session, await this.#load(sid))
      return
    }
    const read = known ?? this.#remember(session, await this.#load(sid))
    if (read === undefined) throw new SessionEnded()
    read.data.value = value
    await this.#save(sid, read, idleTimeoutMs)
  }

  async #save(sid: string, read: Read, idleTimeoutMs: number): Promise<void> {
    const { ref, digest } = placeOf(sid)
    const config = {
      store: this.#store,
      codec: plainCodec,
      schema: undefined,
      conflict: 'merge' as const,
      maxDataBytes: MAX_DATA_BYTES,
    }
    // `resave` writes what nobody has changed: of a session that is gone there is nothing to lose.
    if (read.data.draft().changes.length === 0) await this.#mark(sid, idleTimeoutMs)
    else
      await writeSession(config, { ref, digest, userId: undefined }, read.data, {
        lifetime: { idleTimeoutMs },
      })
    read.idleTimeoutMs = idleTimeoutMs
    read.touchIsDue = false
  }

  async #touch(sid: string, session: StoredSession): Promise<void> {
    const idleTimeoutMs = this.#idleTimeoutMs(session)
    const read = this.#reads.get(session)
    const isRecent = read !== undefined && !read.touchIsDue && read.idleTimeoutMs === idleTimeoutMs
    if (this.#options.disableTouch || isRecent || idleTimeoutMs <= 0) return
    await this.#mark(sid, idleTimeoutMs)
  }

  async #mark(sid: string, idleTimeoutMs: number): Promise<void> {
    const { ref, digest } = placeOf(sid)
    await this.#store.write(ref, { digest }, { onConflict: 'overwrite', lifetime: { idleTimeoutMs } })
  }

  async #destroy(sid: string): Promise<void> {
    if (this.#options.takeOver) await this.#guard.call('del', [this.#options.prefix + sid])
    await this.#store.end(placeOf(sid).ref)
  }

  async #all(): Promise<StoredSession[]> {
    const sessions = await ofEachShard(async (tag) => {
      const listed = await this.#store.list(tag, 10_000)
      return Promise.all(listed.map(async ({ id }) => ({ id, loaded: await this.#store.load({ tag, id }) })))
    })
    return sessions.flat().flatMap(({ id, loaded }) => {
      return typeof loaded !== 'object' ? [] : [{ ...sessionOf(readOf(loaded).data, loaded), id }]
    })
  }

  /** @returns false if there is such a session */
  async #create(sid: string, value: Record<string, unknown>, idleTimeoutMs: number): Promise<boolean> {
    const { ref, digest } = placeOf(sid)
    const { outcome } = await this.#store.create(ref, {
      digest,
      userId: USER,
      client: '',
      idleTimeoutMs,
      absoluteTimeoutMs: TEN_YEARS_MS,
      data: Object.entries(value).map(([key, member]) => [key, JSON.stringify(member)]),
      maxPerUser: undefined,
      persistent: undefined,
    })
    return outcome === 'created'
  }

  /**
   * Moves a session here that connect-redis has stored. Of several requests at once one creates it, and only that one
   * removes the old key. If it is gone by then, the session was taken over and destroyed meanwhile: it stays so.
   */
  async #takeOver(sid: string): Promise<LoadedSession | undefined> {
    if (!this.#options.takeOver) return undefined
    const key = this.#options.prefix + sid
    const text = (await this.#guard.call('get', [key])) as string | null
    const stored = text === null ? undefined : (JSON.parse(text) as StoredSession)
    const idleTimeoutMs = stored === undefined ? 0 : this.#idleTimeoutMs(stored)
    if (
      stored !== undefined &&
      idleTimeoutMs > 0 &&
      (await this.#create(sid, plainOf(stored), idleTimeoutMs))
    ) {
      const removed = await this.#guard.call('del', [key])
      if (removed === 0) await this.#store.end(placeOf(sid).ref)
    }
    return this.#load(sid)
  }

  #remember(session: object, loaded: LoadedSession | undefined): Read | undefined {
    if (loaded === undefined) return undefined
    const read = readOf(loaded)
    this.#reads.set(session, read)
    return read
  }

  /** How long a session lasts after its last use, by its cookie, else by `ttl`. */
  #idleTimeoutMs(session: StoredSession): number {
    const { ttl } = this.#options
    if (typeof ttl === 'function') return Math.round(ttl(session) * 1_000)
    const { expires, originalMaxAge } = session.cookie ?? {}
    // An invalid date is express-session's to refuse, as it does when it sets the cookie.
    if (!expires || Number.isNaN(Number(new Date(expires)))) return ttl * 1_000
    if (typeof originalMaxAge === 'number' && originalMaxAge > 0) return Math.ceil(originalMaxAge)
    return Math.ceil(Number(new Date(expires)) - Date.now())
  }
}

/** A few at a time: each has to be answered by its deadline. */
async function ofEachShard<Result>(work: (tag: string) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = []
  for (let at = 0; at < SHARDS.length; at += 16) {
    results.push(...(await Promise.all(SHARDS.slice(at, at + 16).map(work))))
  }
  return results
}

function readOf({ record, nowMs }: LoadedSession): Read {
  const { idleTimeoutMs, lastSeenAt } = record
  return {
    data: new StoredData({ codec: plainCodec, schema: undefined, onUnreadable }, '', record.data),
    idleTimeoutMs,
    touchIsDue: nowMs - lastSeenAt >= idleTimeoutMs * TOUCH_AFTER_RATIO,
  }
}

function onUnreadable(reason: UnreadableMessage['reason'], keys: readonly string[]): void {
  if (unreadableChannel.hasSubscribers) unreadableChannel.publish({ id: '', userId: undefined, reason, keys })
}

/** A session with the end of its cookie, which is not stored: it changes with every use. */
function sessionOf(data: StoredData, { record, nowMs }: LoadedSession): StoredSession {
  const session = structuredClone(data.value) as StoredSession
  const { cookie } = session
  // What was stored without one stays so: express-session says that it cannot use it.
  if (cookie === undefined) return session
  const remainingMs = record.lastSeenAt + record.idleTimeoutMs - nowMs
  const isSessionCookie = typeof cookie.originalMaxAge !== 'number'
  session.cookie = { ...cookie, expires: isSessionCookie ? null : new Date(Date.now() + remainingMs) }
  return session
}

function plainOf(session: StoredSession): Record<string, unknown> {
  const plain = JSON.parse(JSON.stringify(session)) as StoredSession
  if (plain.cookie === undefined) return plain
  const { expires: _, ...cookie } = plain.cookie
  return { ...plain, cookie }
}

/** Hands the outcome to a callback, if there is one; what the callback throws is not taken for a failure. */
function answered<Result>(
  done: Promise<Result>,
  callback: StoreCallback<Result> | undefined,
): Promise<Result> {
  if (callback === undefined) return done
  done.then(
    (result) => process.nextTick(callback, null, result),
    (error: unknown) => process.nextTick(callback, error),
  )
  return done.catch(() => undefined as Result)
}
