import { Dispatcher } from 'undici'
import type { Verdict } from '../algorithms/breaker.js'

type Handler = Dispatcher.DispatchHandler

/** Follows one exchange on a pool: whether anything was sent, and when the last byte of the answer has come. */
export class Exchange extends Dispatcher {
  /** Something of the request may have reached the other side. */
  wasSent = false
  isOver = false
  wasDispatched = false
  /** Resolves when the answer is complete or broken off. */
  readonly over: Promise<Verdict>
  readonly #pool: Dispatcher
  readonly #signal: AbortSignal
  #end!: (verdict: Verdict) => void

  constructor(pool: Dispatcher, signal: AbortSignal) {
    super()
    this.#signal = signal
    this.#pool = pool
    this.over = new Promise((resolve) => {
      this.#end = (verdict) => {
        this.isOver = true
        resolve(verdict)
      }
    })
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Handler): boolean {
    // Given up while `fetch` was still about to begin: it must not begin any more.
    this.#signal.throwIfAborted()
    this.wasDispatched = true
    return this.#pool.dispatch(options, this.#observe(handler))
  }

  /** The handler itself, with its beginning and its end seen, in whichever of the two dialects of undici it speaks. */
  #observe(handler: Handler): Handler {
    const observed = Object.create(handler) as Handler
    const before = (name: keyof Handler, see: (...args: unknown[]) => void): void => {
      const inner = handler[name] as ((...args: unknown[]) => unknown) | undefined
      if (inner === undefined) return
      const outer = function (this: unknown, ...args: unknown[]): unknown {
        see(...args)
        return inner.apply(observed, args)
      }
      ;(observed as Record<string, unknown>)[name] = outer
    }
    const sent = (): void => {
      this.wasSent = true
    }
    before('onConnect', sent)
    before('onRequestStart', sent)
    before('onComplete', () => this.#end('ok'))
    before('onResponseEnd', () => this.#end('ok'))
    before('onError', (error) => this.#end(verdictOn(error)))
    before('onResponseError', (_controller, error) => this.#end(verdictOn(error)))
    return observed
  }
}

/** Who cancels the body of a response has seen enough of it. */
function verdictOn(error: unknown): Verdict {
  return (error as { name?: string } | null)?.name === 'AbortError' ? 'none' : 'failed'
}
