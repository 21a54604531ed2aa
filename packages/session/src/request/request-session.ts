import type { Draft } from '../data/stored-data.js'
import { InvalidSessionData, SessionEnded, SessionMisuse } from '../errors.js'
import type { SessionConfig } from '../options.js'
import type { IssuedToken, LoginOptions, Session, SessionCallback, SessionCookie } from '../session.js'
import type { Exchange } from './exchange.js'
import { behind } from './facade.js'
import { reportFailure } from './failures.js'
import { sessionCookie } from './session-cookie.js'
import { type Found, SessionLife } from './session-life.js'

/** What handlers find on a session beside the keys of its data. */
export const OWN_NAMES: ReadonlySet<PropertyKey> = new Set<keyof Session>([
  'authenticatedAt',
  'cookie',
  'createdAt',
  'data',
  'destroy',
  'elevate',
  'expiresAt',
  'id',
  'isNew',
  'lastSeenAt',
  'login',
  'regenerate',
  'reload',
  'renew',
  'save',
  'touch',
  'userId',
])

/** The session of one request: one operation after another, in the order of the calls, and all before the answer. */
export class RequestSession implements Session<Record<string, unknown>> {
  readonly #exchange: Exchange
  readonly #life: SessionLife
  /** `regenerate()` has put another in its place. */
  #isReplaced = false
  #turn: Promise<unknown> = Promise.resolve()
  #waiting = 0
  readonly #done = (): void => {
    this.#waiting--
  }

  constructor(config: SessionConfig, exchange: Exchange, opening: Found) {
    this.#exchange = exchange
    this.#life = new SessionLife(config, exchange, opening)
  }

  /** The session of a request, if `session()` has run. */
  static of(req: object): RequestSession | undefined {
    const session = behind((req as { session?: unknown }).session)
    return session instanceof RequestSession ? session : undefined
  }

  get id(): string | undefined {
    return this.#life.held?.ref.id
  }

  get userId(): string | undefined {
    return this.#life.held?.userId
  }

  get isNew(): boolean {
    return this.#life.isNew
  }

  get createdAt(): number | undefined {
    return this.#life.held?.createdAt
  }

  get lastSeenAt(): number | undefined {
    return this.#life.held?.lastSeenAt
  }

  get authenticatedAt(): number | undefined {
    return this.#life.held?.authenticatedAt
  }

  get expiresAt(): number | undefined {
    return this.#life.held?.expiresAt
  }

  get data(): Record<string, unknown> {
    this.#exchange.follow()
    return this.#life.stored.value
  }

  set data(value: Record<string, unknown>) {
    this.#exchange.follow()
    this.#life.stored.value = value
  }

  get cookie(): SessionCookie {
    return sessionCookie(this.#life, this.#exchange)
  }

  login(userId: string, options: LoginOptions = {}): Promise<IssuedToken> {
    return this.#inTurn(() => this.#life.login(userId, options))
  }

  elevate(): Promise<IssuedToken> {
    return this.#inTurn(() => this.#life.rotate('elevate'))
  }

  renew(): Promise<IssuedToken> {
    return this.#inTurn(() => this.#life.rotate('call'))
  }

  touch(): Promise<void> {
    return this.#inTurn(() => this.#life.touch())
  }

  destroy(callback?: SessionCallback): Promise<void> {
    return answered(
      this.#inTurn(async () => {
        await this.#life.destroy('destroy')
        this.#life.beginAnew()
      }),
      callback,
    )
  }

  save(callback?: SessionCallback): Promise<void> {
    return answered(
      this.#inTurn(async () => {
        if (this.#isReplaced) throw new SessionEnded()
        await this.#life.save()
      }),
      callback,
    )
  }

  reload(callback?: SessionCallback): Promise<void> {
    return answered(
      this.#inTurn(() => this.#life.reload()),
      callback,
    )
  }

  regenerate(callback?: SessionCallback): Promise<void> {
    return answered(
      this.#inTurn(async () => {
        // The data stays with the object: passport copies it from there, if told to keep it.
        await this.#life.destroy('regenerate')
        this.#isReplaced = true
        this.#exchange.attach(new RequestSession(this.#life.config, this.#exchange, { kind: 'none' }))
      }),
      callback,
    )
  }

  /** Whether the middleware of these options has made it. */
  isOf(config: SessionConfig): boolean {
    return this.#life.config === config || this.#life.config === config.shared
  }

  /** @throws {SessionRequired} nobody is logged in @throws the store's error, if it gave no answer */
  requireUser(): void {
    this.#life.requireUser()
  }

  /** What the answer has to wait for: the session is stored, renewed and marked as seen before anybody hears of it. */
  beforeAnswer(): Promise<void> | undefined {
    let unsaved: Draft | undefined
    try {
      unsaved = this.#life.unsaved()
    } catch (error) {
      this.#life.isAbandoned = true
      return Promise.reject(error)
    }
    const isUndone = this.#life.isUndelivered && this.#exchange.isGone
    const isFirst = this.#waiting === 0
    const waits = !isFirst || this.#life.renewalIsDue || isUndone
    if (unsaved === undefined && !waits) {
      if (this.#life.touchIsDue) this.#unawaited('touch', () => this.#life.touch())
      return undefined
    }
    if (!waits && this.#life.config.save === 'background' && this.#life.reserve()) {
      this.#unawaited('save', () => this.#life.save())
      return undefined
    }
    return this.#inTurn(() => this.#finish(isFirst ? unsaved : this.#life.unsaved()))
  }

  /** The response is over, or its client has gone after the headers. */
  afterAnswer(): void {
    let unsaved: Draft | undefined
    try {
      unsaved = this.#life.unsaved()
    } catch (error) {
      this.#life.isAbandoned = true
      reportFailure('save', error)
      return
    }
    // What is set after the answer is stored as well, as far as it can be.
    if (unsaved !== undefined && this.#life.held !== undefined)
      this.#unawaited('save', () => this.#life.save())
    else if (this.#life.touchIsDue || this.#life.isSeenLongAgo())
      this.#unawaited('touch', () => this.#life.touch())
  }

  /** @param unsaved  what there is to save */
  async #finish(unsaved: Draft | undefined): Promise<void> {
    if (this.#exchange.isGone && (this.#life.isUndelivered || this.#life.held === undefined)) {
      // Nobody can come back to it.
      if (this.#life.isUndelivered) await this.#life.destroy('undelivered')
      return
    }
    if (this.#life.held === undefined) {
      if (unsaved !== undefined) await this.#saveFirst()
      return
    }
    const renews = this.#life.renewalIsDue && !this.#exchange.isGone
    // Tried once: if it fails, the old token is as good as before.
    this.#life.renewalIsDue = false
    if (unsaved === undefined && !renews) return
    try {
      await this.#life.write(renews ? 'age' : undefined, unsaved)
    } catch (error) {
      if (unsaved !== undefined) throw error
      if (!(error instanceof SessionEnded)) reportFailure('renew', error)
    }
  }

  /** Stores a visitor's data for the first time; where Redis is away and nobody minds, goes on without. */
  async #saveFirst(): Promise<void> {
    try {
      await this.#life.save()
    } catch (error) {
      const isOurs = error instanceof InvalidSessionData || error instanceof SessionMisuse
      if (isOurs || this.#life.config.onStoreError !== 'anonymous') throw error
      reportFailure('save', error)
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#waiting++
    // So that an answer waits for it.
    this.#exchange.follow()
    const result = this.#waiting === 1 ? work() : this.#turn.then(work)
    this.#turn = result.then(this.#done, this.#done)
    return result
  }

  #unawaited(operation: 'save' | 'touch', work: () => Promise<void>): void {
    this.#life.touchIsDue = false
    this.#inTurn(work).catch((error: unknown) => {
      // A session that ended meanwhile needs no touch.
      if (operation === 'save' || !(error instanceof SessionEnded)) reportFailure(operation, error)
    })
  }
}

/** Hands the outcome to a callback, if there is one; what the callback throws is not taken for a failure. */
function answered(done: Promise<void>, callback: SessionCallback | undefined): Promise<void> {
  if (callback === undefined) return done
  return done.then(
    () => process.nextTick(callback),
    (error: unknown) => process.nextTick(callback, error),
  )
}
