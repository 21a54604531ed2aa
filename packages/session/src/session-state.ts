import { destroyedChannel, renewedChannel, unreadableChannel } from './channels.js'
import { createSession, publishCreated, type WantedSession } from './creating.js'
import { type DataFormat, type KnownValue, SessionData } from './data.js'
import { SessionEnded, SessionMisuse, SessionRequired } from './errors.js'
import type { Exchange } from './exchange.js'
import { reportFailure } from './failures.js'
import { type HeldSession, heldSession } from './held-session.js'
import { type Opening, openToken } from './opening.js'
import type { SessionConfig } from './options.js'
import type { LoadedSession, StoredValue } from './record.js'
import { saveChanges } from './saving.js'
import type { IssuedToken, LoginOptions } from './session.js'
import { digestOf, newNonce, newRef, newToken, type SessionRef, successorOf } from './token.js'
import type { Transport } from './transport.js'

/** A token that came by no request. */
const NOWHERE: Transport = { read: () => [] }

/** What one request knows of its session, and what it can do with it. Calls must not overlap. */
export class SessionState {
  readonly #config: SessionConfig
  readonly #exchange: Exchange
  readonly #opening: Opening
  /** Where a session will be stored whose cookie is on its way already. */
  #reserved: { ref: SessionRef; token: string } | undefined
  /** A save failed: it is not tried again unless the app asks. */
  #isAbandoned = false

  held: HeldSession | undefined
  isNew: boolean
  #data: SessionData | undefined

  constructor(config: SessionConfig, exchange: Exchange, opening: Opening) {
    this.#config = config
    this.#exchange = exchange
    this.#opening = opening
    this.isNew = opening.kind !== 'opened'
    if (opening.kind === 'opened') {
      this.held = heldSession(config, opening)
    }
  }

  /** Made when it is first asked for. */
  get data(): SessionData {
    this.#data ??=
      this.#opening.kind === 'opened' && this.held !== undefined
        ? this.#dataOf(this.held.ref, this.#opening.loaded.record.data)
        : this.#dataOf()
    return this.#data
  }

  set data(data: SessionData) {
    this.#data = data
  }

  /** @throws {SessionRequired} nobody is logged in @throws the store's error, if it gave no answer */
  requireUser(): HeldSession {
    return this.held?.userId === undefined ? this.#refuse() : this.held
  }

  /** Whether the token is to be replaced for its age. Hands over the successor of one that was replaced lately. */
  renewalIsDue(): boolean {
    const via = this.#deliveredVia()
    if (this.#opening.kind !== 'opened' || via === undefined) return false
    const { record, nowMs } = this.#opening.loaded
    const { previous } = record
    if (this.#opening.isMigrated) this.#exchange.issue(this.held!.token, record.expiresAt - nowMs, [via])
    if (previous !== undefined && previous.digest === this.#opening.digest) {
      const token = successorOf(this.#opening.presented.token, previous.nonce)
      this.#hold({ ...this.held!, token, digest: digestOf(token) })
      this.#exchange.issue(token, record.expiresAt - nowMs, [via])
      return false
    }
    const { renewAfterMs } = this.#config
    return renewAfterMs !== false && nowMs >= record.issuedAt + renewAfterMs
  }

  /** Whether there is something to save that nobody has asked to be saved. */
  isToBeSaved(): boolean {
    if (this.#isAbandoned || this.#data?.isUsed !== true) return false
    try {
      return this.data.changes().length > 0
    } catch (error) {
      this.#abandon(error)
      return false
    }
  }

  /** Before the headers: a session that will be stored has to have its cookie now. */
  prepare(): void {
    if (this.held !== undefined || this.#reserved !== undefined || this.#opening.kind === 'failed') return
    const ref = newRef(undefined)
    this.#reserved = { ref, token: newToken(ref) }
    this.#exchange.issue(this.#reserved.token, this.#config.absoluteTimeoutMs)
  }

  async save(): Promise<void> {
    try {
      if (this.held === undefined) await this.#createAnonymous()
      else if (this.#data?.isUsed && (await saveChanges(this.#config, this.held, this.data))) this.#seen()
    } catch (error) {
      this.#isAbandoned = true
      throw error
    }
  }

  async touch(): Promise<void> {
    if (this.held === undefined) return
    this.#seen()
    const { outcome } = await this.#config.store.save(this.held.ref, this.held.digest, [], 'report')
    if (outcome === 'ended') throw new SessionEnded()
  }

  async login(userId: string, options: LoginOptions): Promise<IssuedToken> {
    if (typeof userId !== 'string' || userId.length === 0 || userId.length > 256) {
      throw new SessionMisuse('login: the user id must be a string of 1 to 256 characters.')
    }
    this.#exchange.refuseLate()
    const { keepData = true } = options
    if (!keepData) this.data = this.#dataOf()
    const before = this.held
    const seen = this.data.seen()
    const ref = newRef(userId)
    await this.#create({ ref, token: newToken(ref), userId, options })
    try {
      if (before !== undefined) await this.#takeOver(before, seen, keepData)
    } catch (error) {
      // Nobody gets the token of the new session; and that the old one is dead is not certain.
      this.held = undefined
      this.#isAbandoned = true
      throw error
    }
    this.isNew = true
    publishCreated(this.held!, 'login')
    return this.#issued()
  }

  async rotate(by: 'age' | 'elevate' | 'call'): Promise<IssuedToken> {
    this.#exchange.refuseLate()
    const held = by === 'elevate' ? this.requireUser() : this.#requireStored()
    const elevate = by === 'elevate'
    const nonce = newNonce()
    const rotated = await this.#config.store.rotate(held.ref, held.digest, {
      digest: digestOf(successorOf(held.token, nonce)),
      nonce,
      graceMs: elevate ? 0 : this.#config.renewGraceMs,
      elevate,
    })
    if (rotated.outcome === 'ended') throw new SessionEnded()
    const token = successorOf(held.token, rotated.outcome === 'already' ? rotated.nonce : nonce)
    const { nowMs } = rotated
    const authenticatedAt = elevate ? nowMs : held.authenticatedAt
    this.#hold({
      ...held,
      token,
      digest: digestOf(token),
      lastSeenAt: nowMs,
      touchIsDue: false,
      authenticatedAt,
    })
    if (rotated.outcome === 'rotated' && renewedChannel.hasSubscribers) {
      renewedChannel.publish({ id: held.ref.id, userId: held.userId, by })
    }
    const via = by === 'age' ? this.#deliveredVia() : undefined
    return this.#issued(via && [via])
  }

  async destroy(by: 'destroy' | 'regenerate'): Promise<void> {
    const { held } = this
    // A logout that only looks done would be the worst of all.
    if (this.#opening.kind === 'failed' && held === undefined) throw this.#opening.error
    this.#reserved = undefined
    if (held !== undefined) await this.#end(held, by)
    this.held = undefined
    this.isNew = true
    this.#isAbandoned = false
    this.data = this.#dataOf()
    if (this.#opening.kind === 'opened' || held !== undefined) this.#exchange.clear()
  }

  async reload(): Promise<void> {
    const { held } = this
    if (held === undefined) {
      this.data = this.#dataOf()
      return
    }
    const opening = await openToken(this.#config, { token: held.token, via: NOWHERE })
    if (opening.kind === 'failed') throw opening.error
    if (opening.kind !== 'opened') throw new SessionEnded()
    this.#hold(heldSession(this.#config, opening))
    this.data = this.#dataOf(held.ref, opening.loaded.record.data)
    this.#isAbandoned = false
  }

  #requireStored(): HeldSession {
    return this.held ?? this.#refuse()
  }

  #refuse(): never {
    // Not a 401: the client would throw away a token that is good.
    if (this.#opening.kind === 'failed') throw this.#opening.error
    throw new SessionRequired(this.#exchange.challenge(this.#opening.kind === 'refused'))
  }

  /** Stores an anonymous visitor's data for the first time. */
  async #createAnonymous(): Promise<void> {
    if (this.#data?.isUsed !== true || this.data.changes().length === 0) return
    // The visitor may well have a session that could not be read: its cookie must not be replaced.
    if (this.#opening.kind === 'failed') throw this.#opening.error
    if (this.#reserved === undefined) {
      this.#exchange.refuseLate()
      this.prepare()
    }
    const { ref, token } = this.#reserved!
    await this.#create({ ref, token, userId: undefined, options: {} })
    this.#reserved = undefined
    publishCreated(this.held!, 'data')
  }

  async #create(wanted: WantedSession): Promise<void> {
    this.#hold(await createSession(this.#config, this.#exchange.req, this.data, wanted))
    this.#isAbandoned = false
  }

  /** Ends the session that a login replaces, and fetches what other requests have written into it meanwhile. */
  async #takeOver(
    before: HeldSession,
    seen: ReadonlyMap<string, KnownValue>,
    keepData: boolean,
  ): Promise<void> {
    const ended = await this.#end(before, 'login')
    if (ended === undefined || !keepData) return
    for (const [key, { revision, text }] of ended.record.data) {
      const base = seen.get(key)
      if (base?.revision === revision) continue
      const theirs = this.#config.codec.decode(text, before.ref.id, key)
      if (theirs !== undefined) this.data.merge(key, base?.text, theirs)
    }
    await saveChanges(this.#config, this.held!, this.data)
  }

  async #end(held: HeldSession, by: 'destroy' | 'login' | 'regenerate'): Promise<LoadedSession | undefined> {
    const ended = await this.#config.store.end(held.ref)
    if (ended !== undefined && destroyedChannel.hasSubscribers) {
      destroyedChannel.publish({ id: held.ref.id, userId: held.userId, by })
    }
    return ended
  }

  #issued(via?: readonly Transport[]): IssuedToken {
    const { token, expiresAt, lastSeenAt } = this.held!
    this.#exchange.refuseLate()
    this.#exchange.issue(token, expiresAt - lastSeenAt, via)
    return { token, expiresAt }
  }

  #hold(held: HeldSession): void {
    this.held = held
  }

  #seen(): void {
    if (this.held !== undefined) this.#hold({ ...this.held, touchIsDue: false })
  }

  #abandon(error: unknown): void {
    this.#isAbandoned = true
    reportFailure('save', error)
  }

  /** The transport that brought the token, if it can also carry one back. */
  #deliveredVia(): Transport | undefined {
    if (this.#opening.kind !== 'opened') return undefined
    const { via } = this.#opening.presented
    return via.issue === undefined ? undefined : via
  }

  #dataOf(ref?: SessionRef, stored?: ReadonlyMap<string, StoredValue>): SessionData {
    const { codec, schema } = this.#config
    const onUnreadable: DataFormat['onUnreadable'] = (reason, keys) => {
      if (!unreadableChannel.hasSubscribers) return
      unreadableChannel.publish({ id: ref?.id ?? '', userId: this.held?.userId, reason, keys })
    }
    return new SessionData({ codec, schema, onUnreadable }, ref?.id, stored)
  }
}
