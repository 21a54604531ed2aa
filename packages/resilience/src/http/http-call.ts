import {
  type Dispatcher,
  fetch,
  Headers,
  type HeadersInit as UndiciHeaders,
  type RequestInit as UndiciInit,
} from 'undici'
import type { Attempt } from '../call/attempt.js'
import { type Finding, type Judge, SAYS_NOTHING } from '../call/judge.js'
import { UpstreamFailed, UpstreamTimeout } from '../errors.js'
import { Exchange } from './exchange.js'
import { retryAfterMs } from './retry-after.js'

const READS = new Set(['GET', 'HEAD'])
/** RFC 9110, section 9.2.2. */
const IDEMPOTENT = new Set([...READS, 'PUT', 'DELETE', 'OPTIONS', 'TRACE'])
/** The other side has not done it, and asks for patience. */
const NOT_DONE = new Set([429, 502, 503, 504])
/** A body that nobody reads is read to its end if it is short, for the sake of its connection. */
const SHORT_BYTES = 65_536

export interface HttpCallOptions {
  readonly headers?: Record<string, string>
  readonly sendDeadline: boolean
}

/** One question over HTTP: how it is sent, and what its answers mean. */
export class HttpCall implements Judge<Response> {
  /** It may be sent twice at once. */
  readonly isRead: boolean
  /** The answer to it is the same for all who ask. */
  readonly canBeStale: boolean
  /** By what the same question is known again. */
  readonly key: string
  readonly #pool: Dispatcher
  readonly #name: string
  readonly #address: URL
  readonly #init: RequestInit
  readonly #headers: Headers
  readonly #sendsDeadline: boolean
  readonly #isIdempotent: boolean
  /** Its body can be sent again. */
  readonly #isReplayable: boolean
  readonly #exchanges = new Map<Attempt, Exchange>()

  constructor(
    pool: Dispatcher,
    name: string,
    address: URL,
    init: RequestInit & { repeatable?: boolean },
    options: HttpCallOptions,
  ) {
    this.#pool = pool
    this.#name = name
    this.#address = address
    const { req: _, deadlineMs: __, repeatable, ...plain } = init as RequestInit & Record<string, unknown>
    this.#init = plain
    const method = (init.method ?? 'GET').toUpperCase()
    this.#headers = new Headers(options.headers)
    for (const [header, value] of new Headers(init.headers as UndiciHeaders)) this.#headers.set(header, value)
    this.#sendsDeadline = options.sendDeadline && !this.#headers.has('request-timeout')
    this.#isReplayable = isReplayable(init.body)
    this.#isIdempotent =
      (repeatable as boolean | undefined) ?? (IDEMPOTENT.has(method) || this.#headers.has('idempotency-key'))
    this.isRead = READS.has(method) && this.#isIdempotent
    this.canBeStale = method === 'GET' && !this.#headers.has('authorization') && !this.#headers.has('cookie')
    this.key = `${name} ${address.href} ${this.#headers.get('accept') ?? ''}`
  }

  readonly task = async (attempt: Attempt): Promise<Response> => {
    const exchange = new Exchange(this.#pool, attempt.signal)
    this.#exchanges.set(attempt, exchange)
    const headers = new Headers(this.#headers)
    if (this.#sendsDeadline) headers.set('request-timeout', remainingSeconds(attempt.deadlineAt))
    try {
      const init = {
        redirect: 'manual',
        ...this.#init,
        headers,
        signal: attempt.signal,
        dispatcher: exchange,
      }
      if (!this.#isReplayable) Object.assign(init, { duplex: 'half' })
      if (init.body instanceof FormData) await encodeForm(init, init.body)
      const response = await fetch(this.#address, init as unknown as UndiciInit)
      if (!exchange.isOver) attempt.until(exchange.over)
      // The same interface; the types of Node 20 know an earlier one.
      return response as unknown as Response
    } catch (error) {
      // Not even begun: what was asked for is no request.
      throw exchange.wasDispatched ? this.failure((error as Error).cause ?? error) : error
    }
  }

  failure(cause: unknown): UpstreamFailed {
    return new UpstreamFailed(this.#name, cause)
  }

  ofValue({ status, headers }: Response): Finding {
    return {
      verdict: status >= 500 ? 'failed' : 'ok',
      mayRepeat: this.#isReplayable && this.#isIdempotent && NOT_DONE.has(status),
      afterMs: status < 400 ? 0 : retryAfterMs(headers.get('retry-after'), Date.now()),
    }
  }

  ofError(error: unknown, attempt: Attempt): Finding {
    if (!(error instanceof UpstreamFailed || error instanceof UpstreamTimeout)) return SAYS_NOTHING
    const mayHaveHappened = this.#exchanges.get(attempt)?.wasSent ?? false
    return {
      verdict: 'failed',
      mayRepeat: this.#isReplayable && (this.#isIdempotent || !mayHaveHappened),
      afterMs: 0,
    }
  }

  discard({ body, headers }: Response): void {
    if (body === null) return
    const length = headers.get('content-length')
    const isShort = length !== null && Number(length) <= SHORT_BYTES
    const done = isShort ? drained(body) : body.cancel()
    done.catch(() => {})
  }
}

async function drained(body: NonNullable<Response['body']>): Promise<void> {
  for await (const _ of body);
}

/** The form of Node's own `FormData`, which the package `undici` does not know. */
async function encodeForm(init: { body?: unknown; headers: Headers }, form: FormData): Promise<void> {
  const encoded = new Response(form)
  init.headers.set('content-type', encoded.headers.get('content-type')!)
  init.body = await encoded.arrayBuffer()
}

function isReplayable(body: RequestInit['body']): boolean {
  return !(
    typeof body === 'object' &&
    body !== null &&
    (body instanceof ReadableStream || Symbol.asyncIterator in body)
  )
}

function remainingSeconds(deadlineAt: number): string {
  return (Math.max(0, deadlineAt - performance.now()) / 1_000).toFixed(3)
}
