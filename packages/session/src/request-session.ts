import { SessionEnded } from './errors.js'
import type { Exchange } from './exchange.js'
import { reportFailure } from './failures.js'
import type { Opening } from './opening.js'
import type { SessionConfig } from './options.js'
import { Passthrough } from './passthrough.js'
import type { IssuedToken, LoginOptions, Session, SessionCallback } from './session.js'
import { SessionState } from './session-state.js'

/** The session of one request: one operation after another, in the order in which they were called. */
export class RequestSession extends Passthrough implements Session<Record<string, unknown>> {
  readonly #config: SessionConfig
  readonly #exchange: Exchange
  readonly #state: SessionState
  #turn: Promise<unknown> = Promise.resolve()

  constructor(config: SessionConfig, exchange: Exchange, opening: Opening) {
    super()
    this.#config = config
    this.#exchange = exchange
    this.#state = new SessionState(config, exchange, opening)
    if (this.#state.held?.touchIsDue === true) exchange.follow()
  }

  get id(): string | undefined {
    return this.#state.held?.ref.id
  }

  get userId(): string | undefined {
    return this.#state.held?.userId
  }

  get isNew(): boolean {
    return this.#state.isNew
  }

  get createdAt(): number | undefined {
    return this.#state.held?.createdAt
  }

  get lastSeenAt(): number | undefined {
    return this.#state.held?.lastSeenAt
  }

  get authenticatedAt(): number | undefined {
    return this.#state.held?.authenticatedAt
  }

  get expiresAt(): number | undefined {
    return this.#state.held?.expiresAt
  }

  get data(): Record<string, unknown> {
    this.#exchange.follow()
    return this.#state.data.value
  }

  set data(value: Record<string, unknown>) {
    this.#exchange.follow()
    this.#state.data.value = value
  }

  login(userId: string, options: LoginOptions = {}): Promise<IssuedToken> {
    return this.#inTurn(() => this.#state.login(userId, options))
  }

  elevate(): Promise<IssuedToken> {
    return this.#inTurn(() => this.#state.rotate('elevate'))
  }

  renew(): Promise<IssuedToken> {
    return this.#inTurn(() => this.#state.rotate('call'))
  }

  touch(): Promise<void> {
    return this.#inTurn(() => this.#state.touch())
  }

  destroy(callback?: SessionCallback): Promise<void> {
    const done = this.#inTurn(() => this.#state.destroy('destroy'))
    return answered(done, callback)
  }

  save(callback?: SessionCallback): Promise<void> {
    const done = this.#inTurn(() => this.#state.save())
    return answered(done, callback)
  }

  reload(callback?: SessionCallback): Promise<void> {
    const done = this.#inTurn(() => this.#state.reload())
    return answered(done, callback)
  }

  regenerate(callback?: SessionCallback): Promise<void> {
    const done = this.#inTurn(() => this.#regenerate())
    return answered(done, callback)
  }

  /** @internal Whether the middleware of these options has made it. */
  isOf(config: SessionConfig): boolean {
    return this.#config === config
  }

  /** @internal @throws {SessionRequired} @throws the store's error, if it gave no answer */
  requireUser(): void {
    this.#state.requireUser()
  }

  /** @internal Replaces a token in a cookie that is old enough. `undefined` if there is nothing to wait for. */
  renewIfDue(): Promise<void> | undefined {
    if (!this.#state.renewalIsDue()) return undefined
    return this.#inTurn(() => this.#state.rotate('age')).then(
      () => undefined,
      (error: unknown) => reportFailure('renew', error),
    )
  }

  /** @internal The headers are about to go out: cookies belong in there, and what changed can be saved. */
  beforeHeaders(): void {
    const isToBeSaved = this.#state.isToBeSaved()
    if (isToBeSaved) this.#state.prepare()
    this.#exchange.deliver()
    if (isToBeSaved) this.#saveUnawaited()
  }

  /** @internal The response is over, or its client has gone. */
  afterResponse(): void {
    if (this.#state.isToBeSaved()) this.#saveUnawaited()
    else if (this.#state.held?.touchIsDue === true) this.#touchUnawaited()
  }

  #saveUnawaited(): void {
    // Asked again when its turn comes: a save before it may have written everything, or failed.
    const saving = this.#inTurn(async () => {
      if (this.#state.isToBeSaved()) await this.#state.save()
    })
    saving.catch((error: unknown) => reportFailure('save', error))
  }

  #touchUnawaited(): void {
    const touching = this.#inTurn(async () => {
      if (this.#state.held?.touchIsDue === true) await this.#state.touch()
    })
    touching.catch((error: unknown) => {
      // A session that ended meanwhile needs no touch.
      if (!(error instanceof SessionEnded)) reportFailure('touch', error)
    })
  }

  /**
   * What passport calls at login. It then copies the enumerable properties of the old session to the new one, if
   * told to keep them: so the old one gets its data as such.
   */
  async #regenerate(): Promise<void> {
    const { value } = this.#state.data
    await this.#state.destroy('regenerate')
    for (const [name, member] of Object.entries(value)) {
      Object.defineProperty(this, name, { value: member, enumerable: true, configurable: true })
    }
    this.#exchange.attach(new RequestSession(this.#config, this.#exchange, { kind: 'none' }))
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
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
