import { hash, randomUUID } from 'node:crypto'
import { type CompactJWSHeaderParameters, CompactSign, calculateJwkThumbprint } from 'jose'
import { mint, NOW, type TestKey, testKey } from '../tokens.js'

/** The key of a client. */
export const clientKey: TestKey = testKey('ES256', 'client')
export const clientThumbprint: string = await thumbprintOf(clientKey)
/** A token that is bound to it. */
export const bound: string = await mint({ claims: { cnf: { jkt: clientThumbprint } } })
/** The request that the proofs are for. */
export const BASE_URL = 'http://api.example'
export const URL_OF_API: string = `${BASE_URL}/orders`

export function thumbprintOf({ jwk }: TestKey): Promise<string> {
  return calculateJwkThumbprint(jwk as never, 'sha256')
}

/** The members that make a public key. */
export function publicPart({ jwk }: TestKey): Record<string, unknown> {
  const { kty, crv, x, y, n, e } = jwk as Record<string, unknown>
  return JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as Record<string, unknown>
}

/** Changes to a good proof; a claim or header set to `undefined` is left out. */
export interface ProofChanges {
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  key?: TestKey
  token?: string
}

/** A proof that is signed, whatever it says. */
export function prove({
  claims,
  header,
  key = clientKey,
  token = bound,
}: ProofChanges = {}): Promise<string> {
  const all = {
    jti: randomUUID(),
    htm: 'GET',
    htu: URL_OF_API,
    iat: NOW,
    ath: hash('sha256', token, 'base64url'),
    ...claims,
  }
  const head = { typ: 'dpop+jwt', alg: key.alg, jwk: publicPart(key), ...header }
  return new CompactSign(new TextEncoder().encode(JSON.stringify(all)))
    .setProtectedHeader(JSON.parse(JSON.stringify(head)) as CompactJWSHeaderParameters)
    .sign(key.privateKey, { crit: { ext: true } })
}
