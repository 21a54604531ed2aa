import type { IncomingMessage } from 'node:http'
import { property } from '../property.js'

/** A request of Express 4 or 5, as far as it is used here. */
export type ErrorRequest = IncomingMessage & { accepts(types: string[]): string | false }

const MAX_INSTANCE_LENGTH = 2_048

/**
 * The path of the request as it was sent, for `instance`: no query, no host, and nothing that a URI may not have.
 *
 * @returns `undefined` for a path of more than 2,048 characters, and for `OPTIONS *`
 */
export function instanceOf(req: IncomingMessage): string | undefined {
  const url = property(req, 'originalUrl') ?? req.url
  if (typeof url !== 'string') return undefined
  const path = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  if (!path.startsWith('/') || path.length > MAX_INSTANCE_LENGTH) return undefined
  return (
    path
      // Two slashes would begin a host.
      .replace(/^\/\/+/, '/')
      .replace(/%(?![0-9a-f]{2})|[^\w.~:/@!$&'()*+,;=%-]/gi, (character) => encodeByte(character))
  )
}

/** Node hands out the bytes of a request line as Latin-1. */
function encodeByte(character: string): string {
  return `%${(character.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`
}

/** The id as it may be shown; `undefined` for anything that is not plainly an id. */
export function requestIdOf(
  req: IncomingMessage,
  source: (req: IncomingMessage) => unknown,
): string | undefined {
  let id: unknown
  try {
    id = source(req)
  } catch {
    return undefined
  }
  if (Number.isSafeInteger(id)) return String(id)
  return typeof id === 'string' && /^[\w.:/=+@-]{1,128}$/.test(id) ? id : undefined
}
