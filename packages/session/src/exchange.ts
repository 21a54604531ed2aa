import type { IncomingMessage, ServerResponse } from 'node:http'
import { SessionMisuse } from './errors.js'
import { onResponse } from './on-response.js'
import type { RequestSession } from './request-session.js'
import type { Transport } from './transport.js'

/** A request and its response, as far as a session needs them. */
export class Exchange {
  readonly req: IncomingMessage | undefined
  readonly res: ServerResponse | undefined
  readonly #transports: readonly Transport[]
  #delivery: (() => void) | undefined
  #isFollowed = false
  /** The session of the request; another one after `regenerate()`. */
  session: RequestSession | undefined

  /** @param res  absent where nothing is answered, as for a WebSocket upgrade */
  constructor(
    transports: readonly Transport[],
    req: IncomingMessage | undefined,
    res: ServerResponse | undefined,
  ) {
    this.#transports = transports
    this.req = req
    this.res = res
  }

  /** @throws {SessionMisuse} a cookie would have to be set, and the headers are out */
  refuseLate(): void {
    const sets = this.#transports.some(({ issue }) => issue !== undefined)
    if (sets && this.res?.headersSent) {
      throw new SessionMisuse(
        'The response has begun, so no cookie can be set: call this before the response is sent.',
      )
    }
  }

  /** Remembers a token for the response's headers; the last one counts. */
  issue(token: string, remainingMs: number, via: readonly Transport[] = this.#transports): void {
    this.#deliverTo((res) => {
      for (const { issue } of via) issue?.(res, token, remainingMs)
    })
  }

  /** Remembers to take the token back from the client. */
  clear(): void {
    this.#deliverTo((res) => {
      for (const { clear } of this.#transports) clear?.(res)
    })
  }

  /**
   * From now on the session is told when the headers go out, and when the response is over. A request that only asks
   * who is there needs neither, and is spared the cost.
   */
  follow(): void {
    if (this.#isFollowed || this.res === undefined) return
    this.#isFollowed = true
    onResponse(this.res, {
      beforeHeaders: () => this.session?.beforeHeaders(),
      afterEnd: () => this.session?.afterResponse(),
    })
  }

  /** Writes into the headers what was remembered. */
  deliver(): void {
    this.#delivery?.()
    this.#delivery = undefined
  }

  /** Makes a session the one of the request. */
  attach(session: RequestSession): void {
    this.session = session
    if (this.req !== undefined) (this.req as { session?: unknown }).session = session
  }

  #deliverTo(write: (res: ServerResponse) => void): void {
    const { res } = this
    if (res === undefined) return
    this.#delivery = () => write(res)
    this.follow()
  }

  /** Value of `WWW-Authenticate`, where a transport has one. */
  challenge(refused: boolean): string | undefined {
    const challenges = this.#transports.flatMap(({ challenge }) => challenge?.(refused) ?? [])
    return challenges.length === 0 ? undefined : challenges.join(', ')
  }
}
