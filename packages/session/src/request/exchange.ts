import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import { SessionMisuse } from '../errors.js'
import type { Transport } from '../transports/transport.js'
import { facade } from './facade.js'
import { reportFailure } from './failures.js'
import { type GateListener, gateResponse } from './gate.js'
import { OWN_NAMES, type RequestSession } from './request-session.js'

/** A request and its response, as far as a session needs them. */
export class Exchange implements GateListener {
  readonly req: IncomingMessage | undefined
  readonly #res: ServerResponse | undefined
  readonly #next: Next
  readonly #transports: readonly Transport[]
  #delivery: ((res: ServerResponse) => void) | undefined
  #isFollowed = false
  #isHeadOut = false
  /** The session of the request; another one after `regenerate()`. */
  #session: RequestSession | undefined

  /** @param res  absent where nothing is answered, as for a WebSocket upgrade */
  constructor(
    transports: readonly Transport[],
    req?: IncomingMessage | undefined,
    res?: ServerResponse | undefined,
    next: Next = () => {},
  ) {
    this.#transports = transports
    this.req = req
    this.#res = res
    this.#next = next
  }

  /** Whether the client has gone before it got anything. */
  get isGone(): boolean {
    return this.#res?.destroyed === true && !this.#isHeadOut
  }

  /** What `req.session.cookie` says of the cookie. */
  get attributes(): Transport['attributes'] {
    return this.#transports.find(({ attributes }) => attributes !== undefined)?.attributes
  }

  /** @throws {SessionMisuse} a cookie would have to be set, and the headers are out */
  refuseLate(): void {
    this.follow()
    if (this.#isHeadOut && this.#transports.some(({ issue }) => issue !== undefined)) {
      throw new SessionMisuse(
        'The response has begun, so no cookie can be set: call this before the response is sent.',
      )
    }
  }

  /** Remembers a token for the response's headers; the last one counts. */
  issue(
    token: string,
    remainingMs: number,
    persistent: boolean | undefined,
    via: readonly Transport[] = this.#transports,
  ): void {
    this.#deliverLater((res) => {
      for (const { issue } of via) issue?.(res, token, remainingMs, persistent)
    })
  }

  /** Remembers to take the token back from the client. */
  clear(via: readonly Transport[] = this.#transports): void {
    this.#deliverLater((res) => {
      for (const { clear } of via) clear?.(res)
    })
  }

  /**
   * From now on the response waits for the session. A request that only asks who is there needs that not, and is
   * spared the cost.
   */
  follow(): void {
    if (this.#isFollowed || this.#res === undefined) return
    this.#isFollowed = true
    this.#isHeadOut = this.#res.headersSent
    gateResponse(this.#res, this)
  }

  /** Makes a session the one of the request. @returns it as handlers see it */
  attach(session: RequestSession): RequestSession {
    this.#session = session
    const seen = facade(session, OWN_NAMES)
    if (this.req !== undefined) (this.req as { session?: unknown }).session = seen
    this.named(session.id)
    return seen
  }

  /** The session has another id, or none any more. */
  named(id: string | undefined): void {
    const { req } = this as { req?: { sessionID?: string | undefined } }
    if (req !== undefined && (id !== undefined || req.sessionID !== undefined)) req.sessionID = id
  }

  /** Value of `WWW-Authenticate`, where a transport has one. */
  challenge(refused: boolean): string | undefined {
    const challenges = this.#transports.flatMap(({ challenge }) => challenge?.(refused) ?? [])
    return challenges.length === 0 ? undefined : challenges.join(', ')
  }

  before(): Promise<void> | undefined {
    return this.#session?.beforeAnswer()
  }

  delivers(): boolean {
    this.#isHeadOut = true
    return this.#delivery !== undefined
  }

  deliver(): void {
    this.#delivery?.(this.#res!)
    this.#delivery = undefined
  }

  refused(error: unknown): void {
    if (this.#res!.destroyed) {
      reportFailure('save', error)
      return
    }
    // What has happened before, has happened: a login, the end of a session.
    this.deliver()
    this.#next(error)
  }

  cut(error: unknown): void {
    reportFailure('save', error)
    this.#res!.destroy()
  }

  closed(): void {
    if (this.#isHeadOut) this.#session?.afterAnswer()
  }

  #deliverLater(write: (res: ServerResponse) => void): void {
    if (this.#res === undefined) return
    this.#delivery = write
    this.follow()
  }
}
