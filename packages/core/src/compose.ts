import type { IncomingMessage, ServerResponse } from 'node:http'
import { contract, joinContracts } from './contract.js'

/**
 * The name under which a stateful middleware exposes its early reads. Registered, so that two copies of this
 * package agree on it.
 */
export const prefetch: unique symbol = Symbol.for('@scale/prefetch') as typeof prefetch

/** What Express calls to go on, or with an error to go to the error handler. */
export type Next = (error?: unknown) => void

/** Any Express middleware, by shape. `compose` needs nothing of Express itself. */
export interface Middleware<Request extends IncomingMessage = IncomingMessage> {
  (req: Request, res: ServerResponse, next: Next): unknown
  /**
   * Starts, without waiting, the store reads that this middleware will need for `req`. What it starts it must
   * find again when it is called with the same `req`, and it must not fail: an error belongs to the later call.
   * A second call for the same `req` starts nothing. The later call may never come, because an earlier
   * middleware answered.
   */
  [prefetch]?(req: Request): void
}

/**
 * Runs middleware in order, after starting the store reads of all of them in one tick, so that they leave in
 * one write and cost one round trip together. Outside `compose` each behaves the same, with a trip of its own.
 *
 * Its contract is that of all of them.
 *
 * Put only middleware together that will usually all run: a read started for one that is never reached is wasted.
 *
 * @param steps  middleware, in order; those without early reads are welcome
 */
export function compose<Steps extends readonly ((req: never, res: never, next: never) => unknown)[]>(
  ...steps: Steps
): ComposedMiddleware<Steps> {
  const middleware = steps as unknown as readonly Middleware[]
  const early = middleware.filter((step) => step[prefetch] !== undefined)

  const composed: Middleware = (req, res, next) => {
    for (const step of early) step[prefetch]!(req)
    runFrom(0, req, res, next)
  }

  function runFrom(index: number, req: IncomingMessage, res: ServerResponse, next: Next): unknown {
    const step = middleware[index]
    if (step === undefined) return next()
    let called = false
    const goOn: Next = (error) => {
      // A second `next()` would run the rest of the chain twice; an error that comes late still goes out.
      if (called) {
        if (error !== undefined && error !== null) next(error)
        return
      }
      called = true
      if (error !== undefined && error !== null) next(error)
      else runFrom(index + 1, req, res, next)
    }
    try {
      const result = step(req, res, goOn)
      if (isThenable(result)) result.then(undefined, goOn)
    } catch (error) {
      goOn(error)
    }
  }

  if (early.length > 0) {
    composed[prefetch] = (req) => {
      for (const step of early) step[prefetch]!(req)
    }
  }
  return Object.defineProperties(composed, {
    name: { value: 'compose' },
    [contract]: { value: joinContracts(steps) },
  }) as unknown as ComposedMiddleware<Steps>
}

/** The middleware that `compose` returns: its `req` has what every step adds to it. */
export type ComposedMiddleware<Steps extends readonly ((req: never, res: never, next: never) => unknown)[]> =
  (req: RequestOf<Steps[number]>, res: ResponseOf<Steps[number]>, next: Next) => void

type RequestOf<Step> = UnionToIntersection<
  Step extends (req: infer Request, ...rest: never[]) => unknown ? Request : never
>
type ResponseOf<Step> = UnionToIntersection<
  Step extends (req: never, res: infer Response, ...rest: never[]) => unknown ? Response : never
>
type UnionToIntersection<Union> = (Union extends unknown ? (value: Union) => void : never) extends (
  value: infer Intersection,
) => void
  ? Intersection
  : never

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  )
}
