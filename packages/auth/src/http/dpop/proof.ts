import { createPublicKey, hash, type JsonWebKey, type KeyObject } from 'node:crypto'
import { type Algorithm, fits } from '../../verification/algorithms.js'
import { isCanonical, readPart } from '../../verification/compact.js'
import { isSignedBy } from '../../verification/signature.js'
import { normalizedUrl } from './address.js'
import type { KnownKey, KnownKeys } from './known-keys.js'

/**
 * Why a proof was refused.
 *
 * - `proof-missing`: there is none, or there are several
 * - `proof-malformed`: not a canonical compact JWS, too long, or its JSON is none
 * - `proof-header`: not of type `dpop+jwt`, or with a member that asks for more than this
 * - `proof-algorithm`: not one of those that are accepted
 * - `proof-key`: its key is none, has private parts, is too small or too large, or does not fit the algorithm
 * - `proof-signature`: it was not signed by that key
 * - `proof-claims`: a claim is missing or of a wrong type
 * - `proof-method`, `proof-url`: it is for another request, by `htm` or `htu`
 * - `proof-age`: made too long ago, or in the future
 * - `proof-token`: it is for another access token, by `ath`, or that is bound to another key
 * - `proof-nonce`: it has no nonce, or one that is not good any more
 * - `proof-replay`: it was used before
 */
export type ProofRefusal =
  | 'proof-missing'
  | 'proof-malformed'
  | 'proof-header'
  | 'proof-algorithm'
  | 'proof-key'
  | 'proof-signature'
  | 'proof-claims'
  | 'proof-method'
  | 'proof-url'
  | 'proof-age'
  | 'proof-token'
  | 'proof-nonce'
  | 'proof-replay'

/** The claims of a proof (RFC 9449 §4.2). */
export interface ProofClaims {
  readonly jti: string
  readonly htm: string
  readonly htu: string
  /** In seconds since 1970. */
  readonly iat: number
  /** Of the access token; a request for tokens has none yet. */
  readonly ath: string | undefined
  readonly nonce: string | undefined
}

/** A proof whose form and signature are good. */
export interface SignedProof {
  readonly claims: ProofClaims
  /** Of its key (RFC 7638, SHA-256). */
  readonly thumbprint: string
  /** Keeps its key at hand for the next proof. */
  remember(): void
}

/** A proof with the largest keys that are accepted is shorter. */
const MAX_PROOF_BYTES = 8_192
const MAX_RSA_BITS = 8_192
/** Larger ones make a signature slow to verify, and nobody has them. */
const MAX_RSA_EXPONENT = 2n ** 32n
const PUBLIC_MEMBERS = { EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'], RSA: ['n', 'e'] } as const
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const
/** They bring another key, or ask for processing that nobody here does. */
const REFUSED_MEMBERS = ['jku', 'x5u', 'x5c', 'crit', 'b64'] as const

/**
 * Reads a proof and verifies its signature by the key that it brings. What it says is not yet held against anything.
 *
 * @see RFC 9449 §4.3 (2) to (7)
 */
export async function readProof(
  proof: string,
  algorithms: readonly Algorithm[],
  known: KnownKeys,
): Promise<SignedProof | ProofRefusal> {
  if (proof.length > MAX_PROOF_BYTES || !isCanonical(proof)) return 'proof-malformed'
  const [header, claims] = [readPart(proof, 0), readPart(proof, 1)]
  if (header === undefined || claims === undefined) return 'proof-malformed'
  if (header.typ !== 'dpop+jwt' || REFUSED_MEMBERS.some((name) => Object.hasOwn(header, name)))
    return 'proof-header'
  const alg = header.alg as Algorithm
  if (!algorithms.includes(alg)) return 'proof-algorithm'
  const jwk = publicJwk(header.jwk)
  if (jwk === undefined) return 'proof-key'
  const name = `${alg} ${JSON.stringify(jwk)}`
  const key = known.get(name) ?? keyOf(jwk, alg)
  if (key === undefined) return 'proof-key'
  if (!isComplete(claims)) return 'proof-claims'
  if (!(await isSignedBy(proof, key.key, alg))) return 'proof-signature'
  return { claims, thumbprint: key.thumbprint, remember: () => known.add(name, key) }
}

/** The members that make the key; `undefined` if there are private ones, or it is not of a kind for signatures. */
function publicJwk(value: unknown): (JsonWebKey & { kty: string }) | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const jwk = value as Record<string, unknown>
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) return undefined
  const { kty } = jwk
  if (kty !== 'EC' && kty !== 'OKP' && kty !== 'RSA') return undefined
  const made: Record<string, string> = {}
  for (const name of PUBLIC_MEMBERS[kty]) {
    const member = jwk[name]
    if (typeof member !== 'string' || !/^[\w-]+$/.test(member)) return undefined
    made[name] = member
  }
  return { kty, ...made }
}

/** RFC 7638 §3: the members that make the key, in the order of their names. */
function thumbprintOf(jwk: JsonWebKey): string {
  const members = Object.entries(jwk).sort(([a], [b]) => (a < b ? -1 : 1))
  return hash('sha256', JSON.stringify(Object.fromEntries(members)), 'base64url')
}

function keyOf(jwk: JsonWebKey, algorithm: Algorithm): KnownKey | undefined {
  let key: KeyObject
  try {
    key = createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength > MAX_RSA_BITS || publicExponent >= MAX_RSA_EXPONENT) return undefined
  return fits(key, algorithm) ? { key, thumbprint: thumbprintOf(jwk) } : undefined
}

function isComplete(
  claims: Readonly<Record<string, unknown>>,
): claims is ProofClaims & Record<string, unknown> {
  const { jti, htm, htu, iat, ath, nonce } = claims
  return (
    [jti, htm, htu, ath ?? '-'].every(
      (text) => typeof text === 'string' && text !== '' && text.length <= 4_096,
    ) &&
    typeof iat === 'number' &&
    Number.isFinite(iat) &&
    (nonce === undefined || typeof nonce === 'string')
  )
}

/** What a proof must be for. */
export interface ProofTarget {
  readonly method: string | undefined
  /** In the spelling of `normalizedUrl`. `undefined`: the request has none, and no proof is for it. */
  readonly address: string | undefined
  /** `undefined`: it is a request for one. */
  readonly token: PresentedToken | undefined
}

/** An access token that came with a proof. */
export interface PresentedToken {
  readonly text: string
  /** Of the key that it is bound to. */
  readonly thumbprint: string
}

/** Holds a proof against the request that it came with. @see RFC 9449 §4.3 (8), (9), (12) */
export function refusalByTarget(
  { claims, thumbprint }: SignedProof,
  target: ProofTarget,
): ProofRefusal | undefined {
  if (claims.htm !== target.method) return 'proof-method'
  if (target.address === undefined || normalizedUrl(claims.htu) !== target.address) return 'proof-url'
  const { token } = target
  if (token === undefined) return undefined
  if (claims.ath === undefined) return 'proof-claims'
  const isForIt = claims.ath === hash('sha256', token.text, 'base64url') && thumbprint === token.thumbprint
  return isForIt ? undefined : 'proof-token'
}
