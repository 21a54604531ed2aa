import type { IncomingMessage, ServerResponse } from 'node:http'

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

/** How a response ended. */
export type Ending = 'complete' | 'client_disconnect' | 'response_cut'

/** Whose doing it was if the response is not complete: a client that leaves ends or resets its side first. */
export function endingOf({ socket }: IncomingMessage, res: ServerResponse): Ending {
  if (res.writableFinished ?? res.writableEnded) return 'complete'
  return socket.readableEnded || socket.errored ? 'client_disconnect' : 'response_cut'
}

/** Status as a label: none for a client that did not wait for it. */
export function statusOf(ending: Ending, { statusCode, headersSent }: ServerResponse): string {
  return ending === 'complete' || (ending === 'response_cut' && headersSent) ? String(statusCode) : ''
}

/** OpenTelemetry's `error.type`: only what is the server's fault, or nobody's answer. */
export function errorTypeOf(ending: Ending, { statusCode }: ServerResponse): string {
  if (ending !== 'complete') return ending
  return statusCode >= 500 ? String(statusCode) : ''
}
