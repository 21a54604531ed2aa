import type { IncomingMessage } from 'node:http'

/** An Express request, as far as its address goes. */
interface AddressedRequest extends IncomingMessage {
  app?: { get(name: string): unknown }
  protocol?: string
  originalUrl?: string
}

/** Where clients find this app: an address, or what tells it of a request. */
export type BaseUrl = string | ((req: IncomingMessage) => string | undefined)

/**
 * The address that a request was made to, in the spelling of {@link normalizedUrl}.
 *
 * Scheme and host come from `baseUrl` or from header fields, which a client may have written: so each must be that and nothing
 * more. The path comes from the target of the request alone, as the router reads it.
 *
 * @returns `undefined` if it has none that is beyond doubt: then no proof is for it
 */
export function addressOf(req: IncomingMessage, baseUrl: BaseUrl | undefined): string | undefined {
  const base = typeof baseUrl === 'function' ? baseUrl(req) : (baseUrl ?? originOf(req))
  const normalizedBase = base === undefined ? undefined : normalizedUrl(base)
  const path = pathOf(req)
  if (normalizedBase === undefined || path === undefined) return undefined
  return normalizedBase.replace(/\/$/, '') + path
}

/** A host and a port, with nothing around them that would become a path, a user or a query (RFC 9110 §7.2). */
const AUTHORITY = /^(?:\[[\da-f:.]+\]|[\w.~-]+)(?::\d{1,5})?$/i

/** Scheme and host as forwarded by a proxy that Express is told to trust, else as the client sent them. */
function originOf(req: AddressedRequest): string | undefined {
  const { app, headers, socket } = req
  const isTrusted = app?.get('trust proxy fn') as ((address: string, hop: number) => boolean) | undefined
  const forwarded = headers['x-forwarded-host']
  const isForwarded = forwarded !== undefined && isTrusted?.(socket.remoteAddress ?? '', 0) === true
  const host = isForwarded ? String(forwarded) : headers.host
  const isSecure = (socket as { encrypted?: boolean }).encrypted === true
  // Express takes the scheme from `X-Forwarded-Proto` as it stands there.
  const scheme = req.protocol ?? (isSecure ? 'https' : 'http')
  if (host === undefined || !AUTHORITY.test(host) || (scheme !== 'https' && scheme !== 'http'))
    return undefined
  return `${scheme}://${host}`
}

/** What a router does not resolve and an address does: `/admin/%2e%2e/public` would be both. */
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?=\/|$)/i

function pathOf({ originalUrl, url }: AddressedRequest): string | undefined {
  const target = originalUrl ?? url ?? ''
  const path = target.split(/[?#]/, 1)[0]!
  if (!path.startsWith('/') || path.includes('\\') || DOT_SEGMENT.test(path)) return undefined
  return normalizedPath(new URL(`http://host${path}`).pathname)
}

/**
 * An address without query and fragment, in the one spelling of those that mean the same.
 *
 * @returns `undefined` if it is no http or https address
 * @see RFC 9449 §4.3 (9) · RFC 3986 §6.2.2, §6.2.3
 */
export function normalizedUrl(text: string): string | undefined {
  if (text.length > 8_192 || !URL.canParse(text)) return undefined
  const { protocol, host, pathname, username, password } = new URL(text)
  if ((protocol !== 'https:' && protocol !== 'http:') || username !== '' || password !== '') return undefined
  return `${protocol}//${host}${normalizedPath(pathname)}`
}

/** What needs no escape is written without; others in capitals. */
function normalizedPath(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase()
  })
}
