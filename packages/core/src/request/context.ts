import { AsyncLocalStorage } from 'node:async_hooks'

/** Who a piece of work belongs to: the ids under which its traces and log lines are found. */
export interface RequestContext {
  /** As the client sees it. */
  readonly requestId: string
  /** W3C trace id, 32 lower-case hex digits. */
  readonly traceId: string
  /** W3C id of this server's part of the trace, 16 lower-case hex digits. */
  readonly spanId: string
  /** Whether the caller, or who began the trace, records it. */
  readonly sampled: boolean
}

// Registered, so that two copies of this package share one context.
const slot: unique symbol = Symbol.for('@scale/request-context') as typeof slot
const shared = globalThis as { [slot]?: AsyncLocalStorage<RequestContext> }

/**
 * The request that is being answered, here and now. It costs nothing in a process where nobody has opened a context.
 *
 * @returns `undefined` outside a request, or if nothing opens contexts (`requestLogger` of `@scale/logger` does)
 */
export function requestContext(): RequestContext | undefined {
  return shared[slot]?.getStore()
}

/**
 * Opens a context: `callback`, and everything that it starts, finds it by `requestContext()`.
 *
 * @returns what `callback` returns
 */
export function runInRequestContext<Result>(context: RequestContext, callback: () => Result): Result {
  shared[slot] ??= new AsyncLocalStorage<RequestContext>()
  return shared[slot].run(context, callback)
}
