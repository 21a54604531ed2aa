import { hash, X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'

/** Where the certificate of a request's client is: in DER, or in PEM. `undefined`: it has shown none. */
export type ClientCertificate = (req: IncomingMessage) => Buffer | string | undefined

/**
 * The SHA-256 of the certificate that a client has shown, in base64url.
 *
 * @returns `undefined` if there is none, or none that can be read
 * @see RFC 8705 §3.1
 */
export function certificateOf(told: ClientCertificate = shownToUs, req: IncomingMessage): string | undefined {
  const certificate = told(req)
  if (certificate === undefined) return undefined
  try {
    return hash('sha256', new X509Certificate(certificate).raw, 'base64url')
  } catch {
    return undefined
  }
}

/** Of the TLS connection, whoever signed it: the handshake proves that the client has its key, and no more is asked (RFC 8705 §6.3). */
function shownToUs({ socket }: IncomingMessage): Buffer | undefined {
  return (socket as Partial<TLSSocket>).getPeerCertificate?.()?.raw
}
