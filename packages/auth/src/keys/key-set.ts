import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { type Algorithm, algorithms, fits, isNamedFor } from '../verification/algorithms.js'

/** The keys that verify the tokens of one issuer. */
export interface KeySet {
  /** What its keys can verify, if that is known before they are asked for. */
  readonly algorithms?: readonly Algorithm[]
  /**
   * The key for a token.
   *
   * @param algorithm  of the token, already known to be trusted
   * @param kid        of the token; without one, the only key that fits the algorithm
   * @returns `undefined` if no key fits. A promise only where somebody must be asked
   * @throws {KeysUnavailable} whether there is such a key could not be learnt
   */
  find(algorithm: Algorithm, kid: string | undefined): KeyObject | undefined | Promise<KeyObject | undefined>
}

/** A JSON Web Key (RFC 7517). */
export interface Jwk extends JsonWebKey {
  /** Names the key. */
  kid?: string
  /** The only algorithm that it is for. */
  alg?: string
  /** `sig`, if it says what it is for. */
  use?: string
}

/** A JSON Web Key Set (RFC 7517 §5). */
export interface Jwks {
  /** The keys, in no order. */
  readonly keys: readonly Jwk[]
}

/** One key, ready to verify. */
export interface VerificationKey {
  readonly kid: string | undefined
  readonly algorithms: readonly Algorithm[]
  readonly key: KeyObject
}

/**
 * Makes a key of its JWK, from the public part only.
 *
 * @returns `undefined` if no known algorithm can use it: another type or curve, too small, for encryption
 */
export function verificationKey(jwk: Jwk): VerificationKey | undefined {
  if (jwk.use !== undefined && jwk.use !== 'sig') return undefined
  const { key_ops: operations } = jwk as { key_ops?: unknown }
  if (Array.isArray(operations) && !operations.includes('verify') && !operations.includes('sign'))
    return undefined
  const key = keyObject(jwk)
  if (key === undefined) return undefined
  const usable = algorithms.filter((algorithm) => isNamedFor(jwk.alg, algorithm) && fits(key, algorithm))
  return usable.length === 0 ? undefined : { kid: jwk.kid, algorithms: usable, key }
}

function keyObject(jwk: Jwk): KeyObject | undefined {
  try {
    if (jwk.kty === 'oct') return createSecretKey(Buffer.from(jwk.k ?? '', 'base64url'))
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** Finds a key among few. Without a `kid` there must be one that fits, not several. */
export function pick(
  keys: readonly VerificationKey[],
  algorithm: Algorithm,
  kid: string | undefined,
): KeyObject | undefined {
  const fitting = keys.filter(
    (one) => (kid === undefined || one.kid === kid) && one.algorithms.includes(algorithm),
  )
  return fitting.length === 1 ? fitting[0]!.key : undefined
}
