import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type { IntrospectionConfig } from './options.js'

/** How long an assertion is good, in seconds: long enough for clocks that are apart. */
const ASSERTION_LIFE = 60
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/**
 * The request that asks about a token, with what says who asks.
 *
 * @see RFC 7662 §2.1 · RFC 6749 §2.3.1 · RFC 7523 §2.2
 */
export async function questionAbout(token: string, config: IntrospectionConfig): Promise<RequestInit> {
  const { clientId, clientSecret, clientKeys, clientAuthentication = 'basic' } = config
  const body = new URLSearchParams({ token, token_type_hint: 'access_token' })
  const headers = new Headers({ Accept: 'application/json' })
  if (clientKeys !== undefined) {
    body.set('client_id', clientId)
    body.set('client_assertion_type', ASSERTION_TYPE)
    const { kid, algorithm, privateKey } = clientKeys.current()
    const assertion = new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: algorithm, kid })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(config.url.href)
      .setIssuedAt()
      .setExpirationTime(`${ASSERTION_LIFE}s`)
    body.set('client_assertion', await assertion.sign(privateKey))
  } else if (clientAuthentication === 'post') {
    body.set('client_id', clientId)
    body.set('client_secret', clientSecret!)
  } else {
    const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret!)}`
    headers.set('Authorization', `Basic ${Buffer.from(pair).toString('base64')}`)
  }
  return { method: 'POST', headers, body }
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}
