import type { IncomingMessage } from 'node:http'

/** An Express request, as far as its address goes. */
interface AddressedRequest extends IncomingMessage {
  app?: { get(name: string): unknown }
  protocol?: string
  originalUrl?: string
}

/**
 * The address of a request as its client knows it: scheme and host as forwarded by proxies that Express is told to trust,
 * and the target as it was sent.
 *
 * @returns `undefined` if it has none, such as without a `Host`
 */
export function requestUrl(req: IncomingMessage): string | undefined {
  const { app, protocol, originalUrl, url, headers, socket } = req as AddressedRequest
  const isSecure = (socket as { encrypted?: boolean }).encrypted === true
  const isTrusted = app?.get('trust proxy fn') as ((address: string, hop: number) => boolean) | undefined
  const forwarded = headers['x-forwarded-host']
  const isForwarded = forwarded !== undefined && isTrusted?.(socket.remoteAddress ?? '', 0) === true
  const host = isForwarded ? String(forwarded).split(',')[0]!.trim() : headers.host
  const target = originalUrl ?? url ?? ''
  if (host === undefined || !target.startsWith('/')) return undefined
  return `${protocol ?? (isSecure ? 'https' : 'http')}://${host}${target}`
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
  return `${protocol}//${host}${pathname.replace(/%[0-9a-f]{2}/gi, normalizedOctet)}`
}

/** What needs no escape is written without; others in capitals. */
function normalizedOctet(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
  return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase()
}
