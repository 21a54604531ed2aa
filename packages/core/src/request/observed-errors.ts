import type { IncomingMessage, ServerResponse } from 'node:http'

type Handler = (error: unknown, req: IncomingMessage, res: ServerResponse, next: unknown) => unknown

/** A layer of a router of Express 4 or 5. */
interface Layer {
  handle?: Handler & { stack?: Layer[] }
  route?: { stack?: Layer[] }
}

interface App {
  _router?: { stack?: Layer[] }
  router?: { stack?: Layer[] }
  use?(handler: Handler): unknown
}

/** How many layers a router had when it was looked at. */
const seen = new WeakMap<Layer[], number>()
const listening = new WeakSet<object>()

const MAX_DEPTH = 16

/**
 * Calls back with each error that reaches an error handler of an app, before the handler has it, and with each that no
 * handler took, before Express answers it. Nothing of Express is changed but the layers of this app: its error
 * handlers are wrapped, and one that passes on is added behind them. Layers that come later are seen by the next call.
 *
 * @param app  an app of Express 4 or 5; anything else is left alone
 */
export function observeErrors(
  app: unknown,
  onError: (error: unknown, req: IncomingMessage, res: ServerResponse) => void,
): void {
  const stack = stackOf(app as App)
  if (stack === undefined || seen.get(stack) === stack.length) return
  listenIn(stack, 0)
  if (!isListening(stack.at(-1))) {
    const last: Handler = (error, req, res, next) => {
      onError(error, req, res)
      ;(next as (error: unknown) => void)(error)
    }
    listening.add(last)
    ;(app as App).use?.(last)
  }
  seen.set(stack, stack.length)

  function listenIn(layers: readonly Layer[], depth: number): void {
    if (depth > MAX_DEPTH) return
    for (const layer of layers) {
      if (layer.route?.stack !== undefined) listenIn(layer.route.stack, depth + 1)
      else if (layer.handle?.stack !== undefined) listenIn(layer.handle.stack, depth + 1)
      else if (layer.handle?.length === 4 && !isListening(layer)) layer.handle = wrapped(layer.handle)
    }
  }

  function wrapped(handle: Handler): Handler {
    const wrapper: Handler = (error, req, res, next) => {
      onError(error, req, res)
      return handle(error, req, res, next)
    }
    listening.add(wrapper)
    return wrapper
  }
}

function isListening(layer: Layer | undefined): boolean {
  return layer?.handle !== undefined && listening.has(layer.handle)
}

/** Express 4 throws where 5 has its router, and has it elsewhere. */
function stackOf(app: App | undefined): Layer[] | undefined {
  try {
    return (app?._router ?? app?.router)?.stack
  } catch {
    return undefined
  }
}
