import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import { type CompactJWSHeaderParameters, CompactSign } from 'jose'
import { type AccessTokenOptions, type Jwk, localKeys, type TrustedIssuer } from '../src/index.js'

export const ISSUER = 'https://issuer.example/'
export const AUDIENCE = 'https://api.example'
/** What the tests' clocks show, unless a test says otherwise. */
export const NOW_MS = 1_800_000_000_000
export const NOW: number = NOW_MS / 1_000

/** A key pair, with its public part as a JWK. */
export interface TestKey {
  alg: string
  kid: string
  privateKey: KeyObject
  jwk: Jwk
  privateJwk: Jwk
}

export function testKey(alg: string, kid: string = alg): TestKey {
  const { privateKey, publicKey } = pairOf(alg)
  const asJwk = (key: KeyObject): JsonWebKey => key.export({ format: 'jwk' })
  return {
    alg,
    kid,
    privateKey,
    jwk: { ...asJwk(publicKey), kid, alg, use: 'sig' },
    privateJwk: { ...asJwk(privateKey), kid, alg },
  }
}

function pairOf(alg: string): { privateKey: KeyObject; publicKey: KeyObject } {
  const curves: Record<string, string> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
  if (alg === 'EdDSA' || alg === 'Ed25519') return generateKeyPairSync('ed25519')
  if (alg.startsWith('ML-DSA')) return generateKeyPairSync(alg.toLowerCase() as 'ed25519')
  if (curves[alg] !== undefined) return generateKeyPairSync('ec', { namedCurve: curves[alg] })
  return generateKeyPairSync('rsa', { modulusLength: 2_048 })
}

export const key: TestKey = testKey('ES256', 'k1')

/** Claims of a token that is good in every way. */
export function goodClaims(): Record<string, unknown> {
  return {
    iss: ISSUER,
    sub: 'user-1',
    aud: AUDIENCE,
    client_id: 'app',
    jti: 'token-1',
    iat: NOW - 10,
    exp: NOW + 300,
    scope: 'read write',
  }
}

/** Changes to a good token; a claim or header set to `undefined` is left out. */
export interface Changes {
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  key?: TestKey
  /** Instead of claims as JSON. */
  payload?: string
}

/** A token that is signed, whatever it says. */
export async function mint({ claims, header, key: by = key, payload }: Changes = {}): Promise<string> {
  const text = payload ?? JSON.stringify({ ...goodClaims(), ...claims })
  const head = JSON.parse(JSON.stringify({ alg: by.alg, kid: by.kid, typ: 'at+jwt', ...header })) as Record<
    string,
    unknown
  >
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader(head as CompactJWSHeaderParameters)
    .sign(by.privateKey, { crit: { ext: true } })
}

/** A part of a token, of any JSON. */
export function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** Options under which `mint()` is good. */
export function options(
  changes: Partial<AccessTokenOptions & TrustedIssuer> = {},
): AccessTokenOptions & TrustedIssuer {
  return {
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: ['ES256'],
    keys: localKeys(key.jwk),
    clock: () => NOW_MS,
    ...changes,
  }
}
