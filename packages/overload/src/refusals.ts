import type { ServerResponse } from 'node:http'
import { OVERLOADED_TYPE, Overloaded, type Refusal } from './errors.js'

/** More spread than this is of no use to anybody. */
const MOST_SECONDS = 3_600

/** Refuses from bytes that were made once: what is refused because there is too much to do must be cheap. */
export class Refusals {
  readonly #mostSeconds: number
  readonly #headers: (string | number)[][] = []
  readonly #body: Buffer

  /** @param retryAfterMs  mean of `Retry-After` */
  constructor(retryAfterMs: number) {
    this.#mostSeconds = Math.min(MOST_SECONDS, Math.max(1, Math.round((2 * retryAfterMs) / 1_000) - 1))
    const { title, message: detail, status, code } = new Overloaded('full', 1)
    this.#body = Buffer.from(JSON.stringify({ type: OVERLOADED_TYPE, title, status, detail, code }))
  }

  /** Whole seconds, spread, so that those who were refused together do not come back together. */
  #retryAfterS(): number {
    return 1 + Math.floor(Math.random() * this.#mostSeconds)
  }

  error(refusal: Refusal): Overloaded {
    return new Overloaded(refusal, this.#retryAfterS())
  }

  answer(res: ServerResponse): void {
    // Whoever was in front may have answered, such as a timeout.
    if (res.headersSent) return
    res.writeHead(503, this.#headersFor(this.#retryAfterS())).end(this.#body)
  }

  #headersFor(seconds: number): (string | number)[] {
    const known = this.#headers[seconds]
    if (known !== undefined) return known
    const headers = Object.entries({
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      'Retry-After': seconds,
      'Content-Length': this.#body.length,
    }).flat()
    this.#headers[seconds] = headers
    return headers
  }
}
