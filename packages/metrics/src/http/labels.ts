import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Ending } from '@scale/core'

/** RFC 9110, PATCH (RFC 5789) and QUERY; any other could be one of very many. */
const methods = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'],
])

export function methodOf({ method = '' }: IncomingMessage): string {
  return methods.has(method) ? method : '_OTHER'
}

/** `https` also behind a proxy that the app trusts and that says so. */
export function schemeOf(req: IncomingMessage & { protocol?: string }): 'http' | 'https' {
  if ((req.socket as { encrypted?: boolean }).encrypted) return 'https'
  return req.headers['x-forwarded-proto'] !== undefined && req.protocol === 'https' ? 'https' : 'http'
}

/** Status as a label: none for a client that did not wait for it, or if none was sent. */
export function statusOf({ cause, side }: Ending, { statusCode, headersSent }: ServerResponse): string {
  return cause === 'answered' || (side === 'server' && headersSent) ? String(statusCode) : ''
}

/** OpenTelemetry's `error.type`: only what is the server's fault, or nobody's answer. */
export function errorTypeOf({ cause, side }: Ending, { statusCode }: ServerResponse): string {
  if (cause !== 'answered') return side === 'client' ? 'client_disconnect' : 'response_cut'
  return statusCode >= 500 ? String(statusCode) : ''
}
