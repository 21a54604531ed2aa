import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'

/** Takes everything at once, and keeps nothing. */
class Sink extends Writable {
  constructor() {
    super({ highWaterMark: Number.MAX_SAFE_INTEGER, write: (_chunk, _encoding, done) => done() })
  }
  // What a response asks of its socket.
  setTimeout(): this {
    return this
  }
}

/** Everything that is a response's own, and not Express'. */
const NAMES = namesOf(ServerResponse.prototype)

function namesOf(prototype: object): string[] {
  const names = new Set<string>()
  // Up to an `Object.prototype`, which in Jest is not the one of Node's own modules.
  for (let at = prototype; Object.getPrototypeOf(at) !== null; at = Object.getPrototypeOf(at) as object) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name)
  }
  names.delete('constructor')
  return [...names]
}

/**
 * Lets a handler write a response although the client has been answered: from now on `res` is, by its methods, its state
 * and its events, another response, which leads nowhere, and ends like any other.
 *
 * @param res  of which nobody but the handler wants anything any more: it must be closed
 * @returns the response that takes what the handler writes
 */
export function shadowResponse(req: IncomingMessage, res: ServerResponse): ServerResponse {
  const shadow = new ServerResponse(req)
  const sink = new Sink()
  shadow.assignSocket(sink as unknown as Socket)
  // As a server does it: a response that is finished is closed.
  shadow.on('finish', () => sink.destroy())
  // That it breaks off is all that is to be known of it; nobody else listens.
  for (const one of [shadow, sink]) one.on('error', () => shadow.destroy())
  for (const name of new Set([...NAMES, ...Object.getOwnPropertyNames(shadow)])) lend(res, shadow, name)
  return shadow
}

function lend(res: ServerResponse, shadow: ServerResponse, name: string): void {
  let method: unknown
  let lent: unknown
  Object.defineProperty(res, name, {
    configurable: true,
    get: () => {
      const value: unknown = Reflect.get(shadow, name)
      if (typeof value !== 'function') return value
      if (value !== method) {
        method = value
        // What returns the response, to go on with it, returns the one that the handler has.
        lent = (...args: unknown[]): unknown => {
          const result: unknown = Reflect.apply(value, shadow, args)
          return result === shadow ? res : result
        }
      }
      return lent
    },
    set: (value: unknown) => {
      Reflect.set(shadow, name, value)
    },
  })
}
