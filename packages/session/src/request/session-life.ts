import {
  createdChannel,
  type DestroyedMessage,
  destroyedChannel,
  renewedChannel,
  revokedChannel,
  unreadableChannel,
} from '../channels.js'
import { type DataFormat, type Draft, NO_DRAFT, StoredData } from '../data/stored-data.js'
import { refuseInvalid, writeSession } from '../data/write.js'
import { SessionEnded, SessionMisuse, SessionRequired, TooManySessions } from '../errors.js'
import type { SessionConfig } from '../options.js'
import type { IssuedToken, LoginOptions } from '../session.js'
import type { Rotation } from '../store.js'
import { elevatedAt, type LoadedSession, refusalOf, type StoredValue } from '../stores/record.js'
import { digestOf, newNonce, type SessionRef, successorOf } from '../stores/token.js'
import type { Transport } from '../transports/transport.js'
import { clientInfo } from './client-info.js'
import type { Exchange } from './exchange.js'
import { reportFailure } from './failures.js'
import { type Held, heldOf } from './held.js'
import { lifetimeOf, type ToldLifetime, toldLifetime } from './lifetime.js'
import type { Opened, Opening } from './opening.js'
import type { Place } from './places.js'

/** A session that is to be stored for the first time. */
interface Wanted extends Place {
  readonly userId: string | undefined
  readonly options: LoginOptions
  readonly replaces?: string
}

type Renewal = 'age' | 'call' | 'elevate'
export type Found = Exclude<Opening, { kind: 'old' }>

/** What a request knows of its session, and each thing that it can do with it. Calls must not overlap. */
export class SessionLife {
  readonly config: SessionConfig
  readonly #exchange: Exchange
  readonly #opening: Found
  held: Held | undefined
  #data: StoredData | undefined
  isNew: boolean
  /** Of the process, when the session was last read or marked as seen. */
  #seenAt = performance.now()
  touchIsDue = false
  renewalIsDue = false
  /** By `cookie.maxAge`, and not written yet. */
  told: ToldLifetime | undefined
  /** Where a session will be stored whose cookie is on its way already. */
  #reserved: Place | undefined
  /** Began in this request, and its client has nothing of it yet. */
  isUndelivered = false
  /** A save failed: it is not tried again unless the app asks. */
  isAbandoned = false

  constructor(config: SessionConfig, exchange: Exchange, opening: Found) {
    this.config = config
    this.#exchange = exchange
    this.#opening = opening
    this.isNew = opening.kind !== 'opened'
    if (opening.kind === 'opened') this.#begin(opening)
    else if (opening.kind === 'refused' && opening.isDead) exchange.clear(opening.via)
  }

  /** @throws {SessionRequired} nobody is logged in @throws the store's error, if it gave no answer */
  requireUser(): Held {
    return this.held?.userId === undefined ? this.#refuse() : this.held
  }

  #begin(opened: Opened): void {
    const { loaded, via, token, digest } = opened
    const { record, nowMs } = loaded
    this.held = heldOf(opened)
    this.touchIsDue = nowMs - record.lastSeenAt >= record.idleTimeoutMs * this.config.touchAfterRatio
    if (via.issue !== undefined) {
      const { previous, issuedAt, expiresAt, persistent } = record
      const isReplaced = previous?.digest === digest
      // Its successor is not used yet: the client may never have got it.
      if (isReplaced && !previous.isConfirmed) {
        this.#exchange.issue(successorOf(token, previous.nonce), expiresAt - nowMs, persistent, [via])
      } else if (opened.isMigrated === true) this.#exchange.issue(token, expiresAt - nowMs, persistent, [via])
      const { renewAfterMs } = this.config
      // The first use of a token begins its time.
      const isSettled = !isReplaced && previous?.isConfirmed !== false
      this.renewalIsDue = isSettled && renewAfterMs !== false && nowMs >= issuedAt + renewAfterMs
    }
    if (this.touchIsDue || this.renewalIsDue) this.#exchange.follow()
  }

  get stored(): StoredData {
    this.#data ??=
      this.#opening.kind === 'opened' && this.held !== undefined
        ? this.#dataOf(this.held.ref, this.#opening.loaded.record.data)
        : this.#dataOf()
    return this.#data
  }

  /** What there is to save that nobody has asked to be saved; `undefined` for nothing. @throws {InvalidSessionData} */
  unsaved(): Draft | undefined {
    if (this.isAbandoned) return undefined
    const draft = this.#data?.draft() ?? NO_DRAFT
    return draft.changes.length > 0 || (this.told !== undefined && this.held !== undefined)
      ? draft
      : undefined
  }

  /** @param draft  of the data, if it was made just now */
  async save(draft?: Draft): Promise<void> {
    try {
      if (this.held !== undefined) await this.write(undefined, draft)
      else if ((draft ?? this.#data?.draft())?.changes.length) await this.#createAnonymous()
    } catch (error) {
      this.isAbandoned = true
      throw error
    }
  }

  /**
   * Writes what changed in one step with a new token, if there is to be one.
   *
   * @param draft  of the data, if it was made just now
   */
  async write(renewal?: Renewal, draft: Draft | undefined = this.#data?.draft()): Promise<void> {
    const held = this.held!
    const lifetime = this.told && toldLifetime(this.config, this.told, held.idleTimeoutMs)
    if (renewal === undefined && lifetime === undefined && !draft?.changes.length) return
    const rotation = renewal && rotationOf(held.token, renewal)
    const written = await writeSession(this.config, held, this.#data, { lifetime, rotation, draft })
    const { nowMs, expiresAt } = written
    this.told = undefined
    this.#seen({
      ...held,
      lastSeenAt: nowMs,
      expiresAt,
      idleTimeoutMs: lifetime?.idleTimeoutMs ?? held.idleTimeoutMs,
      persistent: lifetime?.persistent ?? held.persistent,
    })
    if (renewal !== undefined && written.nonce !== undefined) {
      this.#renewed(renewal, written.nonce, written.nonce === rotation?.nonce)
    } else if (lifetime !== undefined) this.#issue()
    if (renewal !== undefined && renewal !== 'age' && written.nonce === undefined) throw new SessionEnded()
  }

  #renewed(by: Renewal, nonce: string, isFirst: boolean): void {
    const { userId, lastSeenAt, ...held } = this.held!
    const { ref, token } = this.config.places.successor(held, nonce)
    const authenticatedAt = by === 'elevate' ? elevatedAt(held, lastSeenAt) : held.authenticatedAt
    const openedWhen = authenticatedAt ?? 0
    this.held = {
      ...held,
      ref,
      userId,
      lastSeenAt,
      token,
      digest: digestOf(token),
      authenticatedAt,
      openedWhen,
    }
    this.renewalIsDue = false
    if (isFirst && renewedChannel.hasSubscribers) renewedChannel.publish({ id: ref.id, userId, by })
    this.#issue(by === 'age' && this.#opening.kind === 'opened' ? [this.#opening.via] : undefined)
  }

  async rotate(by: 'call' | 'elevate'): Promise<IssuedToken> {
    this.#exchange.refuseLate()
    const held = by === 'elevate' ? this.requireUser() : (this.held ?? this.#refuse())
    await this.write(by)
    return { token: this.held!.token, expiresAt: held.expiresAt }
  }

  async touch(): Promise<void> {
    if (this.held === undefined) return
    const { nowMs } = await writeSession(this.config, this.held, undefined)
    this.#seen({ ...this.held, lastSeenAt: nowMs })
  }

  async login(userId: string, options: LoginOptions): Promise<IssuedToken> {
    if (typeof userId !== 'string' || userId.length === 0 || userId.length > 256) {
      throw new SessionMisuse('login: the user id must be a string of 1 to 256 characters.')
    }
    this.#exchange.refuseLate()
    const { keepData = 'anonymous' } = options
    const before = this.held
    const isOwn = before?.userId === undefined || before.userId === userId
    const keeps = keepData === true || (keepData === 'anonymous' && isOwn)
    if (!keeps) this.#data = this.#dataOf()
    const seen = this.stored.seen()
    const place = await this.config.places.make(userId)
    const { ref } = place
    const isSameTag = before?.ref.tag === ref.tag
    const replaces = isSameTag ? { replaces: before.ref.id } : {}
    let ended = await this.#create({ ...place, userId, options, ...replaces })
    try {
      if (before !== undefined) {
        if (!isSameTag) ended = await this.config.store.end(before.ref)
        if (ended !== undefined) this.#publishDestroyed(before, 'login')
        if (ended !== undefined && keeps) this.#join(ended, before.ref.id, seen)
        await this.write()
      }
      this.#issue()
    } catch (error) {
      // Nobody gets the token of the new session; and that the old one is dead is not certain.
      this.held = undefined
      this.isAbandoned = true
      await this.config.store.end(ref).catch((failure: unknown) => reportFailure('save', failure))
      throw error
    }
    this.isNew = true
    this.#publishCreated('login')
    return { token: this.held!.token, expiresAt: this.held!.expiresAt }
  }

  /** Joins what other requests have written into the session that a login replaces. */
  #join({ record }: LoadedSession, sessionId: string, seen: ReturnType<StoredData['seen']>): void {
    for (const [key, { revision, text }] of record.data) {
      const base = seen.get(key)
      if (base?.revision === revision) continue
      const theirs = this.config.codec.decode(text, sessionId, key)
      if (theirs !== undefined) this.stored.merge(key, base?.text, theirs)
    }
  }

  /** Stores an anonymous visitor's data for the first time. */
  async #createAnonymous(): Promise<void> {
    // The visitor may well have a session that could not be read: its cookie must not be replaced.
    if (this.#opening.kind === 'failed') throw this.#opening.error
    let place = this.#reserved
    if (place === undefined) {
      this.#exchange.refuseLate()
      place = await this.config.places.make(undefined)
    }
    await this.#create({ ...place, userId: undefined, options: {} })
    this.#publishCreated('data')
    if (this.#reserved === undefined) this.#issue()
    this.#reserved = undefined
  }

  /** @returns the session that it replaced, if it was told of one */
  async #create({ ref, token, userId, options, replaces }: Wanted): Promise<LoadedSession | undefined> {
    const { codec, maxPerUser, store } = this.config
    const data = this.stored
    const { persistent, ...timeouts } = lifetimeOf(this.config, options, this.told)
    const { entries } = data.draft()
    refuseInvalid(this.config, data, { entries })
    const digest = digestOf(token)
    const created = await store.create(ref, {
      digest,
      userId,
      client: userId === undefined ? '' : clientInfo(this.config, ref.id, this.#exchange.req),
      ...timeouts,
      data: entries.map(([key, text]) => [key, codec.encode(text, ref.id, key)]),
      maxPerUser,
      persistent,
      ...(replaces === undefined ? {} : { replaces }),
    })
    if (created.outcome === 'full') throw new TooManySessions(maxPerUser!.quota)
    if (created.outcome === 'exists') throw new SessionMisuse('The id of the new session is taken.')
    const { nowMs, evicted, replaced } = created
    if (evicted > 0 && revokedChannel.hasSubscribers) {
      revokedChannel.publish({ userId: userId!, by: 'quota', count: evicted })
    }
    data.created(entries)
    this.told = undefined
    this.isAbandoned = false
    this.isUndelivered = true
    this.renewalIsDue = false
    this.#seen({
      ref,
      token,
      digest,
      openedWhen: userId === undefined ? 0 : nowMs,
      userId,
      createdAt: nowMs,
      lastSeenAt: nowMs,
      authenticatedAt: userId === undefined ? undefined : nowMs,
      expiresAt: nowMs + timeouts.absoluteTimeoutMs,
      idleTimeoutMs: timeouts.idleTimeoutMs,
      persistent,
    })
    return replaced
  }

  async destroy(by: DestroyedMessage['by']): Promise<void> {
    const held = this.held
    // A logout that only looks done would be the worst of all.
    if (this.#opening.kind === 'failed' && held === undefined) throw this.#opening.error
    this.#reserved = undefined
    if (held !== undefined && (await this.config.store.end(held.ref)) !== undefined) {
      this.#publishDestroyed(held, by)
    }
    this.held = undefined
    this.#exchange.named(undefined)
    this.isUndelivered = false
    this.touchIsDue = false
    this.renewalIsDue = false
    if (this.#opening.kind === 'opened' || held !== undefined) this.#exchange.clear()
  }

  /** What is set from now on belongs to a new session. */
  beginAnew(): void {
    this.isNew = true
    this.isAbandoned = false
    this.#data = this.#dataOf()
  }

  async reload(): Promise<void> {
    const held = this.held
    if (held === undefined) {
      this.#data = this.#dataOf()
      return
    }
    // Only looks: that this request has a successor does not mean that its client has.
    const loaded = await this.config.store.load(held.ref)
    if (typeof loaded !== 'object' || refusalOf(loaded, held.digest, held.openedWhen) !== undefined) {
      throw new SessionEnded()
    }
    this.held = heldOf({ ...held, loaded })
    this.#data = this.#dataOf(held.ref, loaded.record.data)
    this.isAbandoned = false
  }

  #refuse(): never {
    // Not a 401: the client would throw away a token that is good.
    if (this.#opening.kind === 'failed') throw this.#opening.error
    throw new SessionRequired(this.#exchange.challenge(this.#opening.kind === 'refused'))
  }

  /** Where a session will be stored whose cookie leaves before it is. @returns false if it has to be stored first */
  reserve(): boolean {
    if (this.held !== undefined || this.#reserved !== undefined || this.#opening.kind === 'failed')
      return true
    const place = this.config.places.makeNow()
    if (place === undefined) return false
    this.#reserved = place
    const { absoluteTimeoutMs, persistent } = lifetimeOf(this.config, {}, this.told)
    this.#exchange.issue(place.token, absoluteTimeoutMs, persistent)
    return true
  }

  #issue(via?: readonly Transport[]): void {
    const { ref, token, expiresAt, lastSeenAt, persistent } = this.held!
    this.#exchange.refuseLate()
    this.#exchange.named(ref.id)
    this.#exchange.issue(token, expiresAt - lastSeenAt, persistent, via)
  }

  remainingMs(): number | null {
    const told = this.told
    if (told !== undefined) return told.maxAgeMs
    const held = this.held
    if (held?.persistent !== true) return null
    const sinceMs = performance.now() - this.#seenAt
    return Math.round(Math.min(held.idleTimeoutMs, held.expiresAt - held.lastSeenAt) - sinceMs)
  }

  #seen(held: Held): void {
    this.held = held
    this.touchIsDue = false
    this.#seenAt = performance.now()
  }

  isSeenLongAgo(): boolean {
    const { idleTimeoutMs = Number.POSITIVE_INFINITY } = this.held ?? {}
    return performance.now() - this.#seenAt >= idleTimeoutMs * Math.max(this.config.touchAfterRatio, 0.01)
  }

  #publishCreated(by: 'login' | 'data'): void {
    const { ref, userId } = this.held!
    if (createdChannel.hasSubscribers) createdChannel.publish({ id: ref.id, userId, by })
  }

  #publishDestroyed({ ref, userId }: Held, by: DestroyedMessage['by']): void {
    if (destroyedChannel.hasSubscribers) destroyedChannel.publish({ id: ref.id, userId, by })
  }

  #dataOf(ref?: SessionRef, stored?: ReadonlyMap<string, StoredValue>): StoredData {
    const { codec, schema } = this.config
    const onUnreadable: DataFormat['onUnreadable'] = (reason, keys) => {
      if (!unreadableChannel.hasSubscribers) return
      unreadableChannel.publish({ id: ref?.id ?? '', userId: this.held?.userId, reason, keys })
    }
    return new StoredData({ codec, schema, onUnreadable }, ref?.id, stored)
  }
}

function rotationOf(token: string, by: Renewal): Rotation {
  const nonce = newNonce()
  return { digest: digestOf(successorOf(token, nonce)), nonce, elevate: by === 'elevate' }
}
