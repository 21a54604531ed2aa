import { type IncomingMessage, ServerResponse } from 'node:http'

const METHODS = [
  'setHeader',
  'setHeaders',
  'appendHeader',
  'getHeader',
  'getHeaders',
  'getHeaderNames',
  'getRawHeaderNames',
  'hasHeader',
  'removeHeader',
  'writeHead',
  'write',
  'end',
  'flushHeaders',
] as const
const STATE = [
  'statusCode',
  'statusMessage',
  'headersSent',
  'finished',
  'writableEnded',
  'writableFinished',
] as const

/**
 * Lets a handler write a response although the client has been answered: from now on the methods and the state of
 * `res` are those of a response that leads nowhere. So a stale response can go out, and the handler runs afterwards.
 *
 * @returns the response that takes what the handler writes
 */
export function detach(req: IncomingMessage, res: ServerResponse): ServerResponse {
  const shadow = new ServerResponse(req)
  // What is written is captured on the way in; no socket will ever take it.
  shadow.write = ((_chunk: unknown, ...rest: unknown[]) => called(rest)) as typeof shadow.write
  shadow.end = ((...args: unknown[]) => {
    called(args)
    return shadow
  }) as typeof shadow.end
  const inner = shadow as unknown as Record<string, unknown>
  for (const method of METHODS) {
    Object.defineProperty(res, method, {
      configurable: true,
      get: () => (inner[method] as (...args: unknown[]) => unknown).bind(shadow),
      set: (value: unknown) => {
        inner[method] = value
      },
    })
  }
  for (const name of STATE) {
    Object.defineProperty(res, name, {
      configurable: true,
      get: () => inner[name],
      set: (value: unknown) => {
        inner[name] = value
      },
    })
  }
  return shadow
}

function called(args: readonly unknown[]): boolean {
  const callback = args.find((arg) => typeof arg === 'function') as (() => void) | undefined
  if (callback !== undefined) process.nextTick(callback)
  return true
}
