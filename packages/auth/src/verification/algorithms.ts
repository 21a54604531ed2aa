import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

/** A signature algorithm of RFC 7518, RFC 8037, RFC 9864, or ML-DSA (FIPS 204), which Node has from 24.7 on. `none` is not among them and cannot be asked for. */
export type Algorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'
  | 'ML-DSA-44'
  | 'ML-DSA-65'
  | 'ML-DSA-87'

/** Bytes of an ML-DSA-44 public key (FIPS 204, table 2), any of which are one. */
const ML_DSA_44_BYTES = 1_312

/** Node has it from 24.7 on. */
function hasMlDsa(): boolean {
  const pub = Buffer.alloc(ML_DSA_44_BYTES).toString('base64url')
  try {
    createPublicKey({ key: { kty: 'AKP', alg: 'ML-DSA-44', pub } as JsonWebKey, format: 'jwk' })
    return true
  } catch {
    return false
  }
}

/** Those that have keys and signatures of kilobytes. */
export const mlDsa: readonly Algorithm[] = Object.freeze(['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const)

/** Every {@link Algorithm} that this version of Node has. */
export const algorithms: readonly Algorithm[] = Object.freeze([
  ...(['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const),
  ...(hasMlDsa() ? mlDsa : []),
])

const CURVE_OF: Partial<Record<Algorithm, string>> = {
  ES256: 'prime256v1',
  ES384: 'secp384r1',
  ES512: 'secp521r1',
}

/** RFC 7518 §3.3 and §3.5: a key of 2048 bits or larger must be used. */
const MIN_RSA_BITS = 2_048

/** Whether an algorithm verifies with the very key that signs. */
export function isSymmetric(algorithm: Algorithm): boolean {
  return algorithm.startsWith('HS')
}

/** Two names of one algorithm: the older one leaves the curve to the key (RFC 9864 §2.2). */
function isEd25519(algorithm: string): boolean {
  return algorithm === 'EdDSA' || algorithm === 'Ed25519'
}

/** Whether a key whose JWK names one algorithm is for another. */
export function isNamedFor(named: string | undefined, algorithm: Algorithm): boolean {
  return named === undefined || named === algorithm || (isEd25519(named) && isEd25519(algorithm))
}

/** With an exponent of 1, a message is its own signature. */
function isSafeRsa({
  modulusLength = 0,
  publicExponent = 0n,
}: KeyObject['asymmetricKeyDetails'] = {}): boolean {
  return modulusLength >= MIN_RSA_BITS && publicExponent > 2n
}

/** Whether a key is of the kind that an algorithm takes, and large enough for it (RFC 7518 §3.2, §3.3). */
export function fits(key: KeyObject, algorithm: Algorithm): boolean {
  if (isSymmetric(algorithm)) {
    return key.type === 'secret' && (key.symmetricKeySize ?? 0) * 8 >= Number(algorithm.slice(2))
  }
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return /^[RP]S/.test(algorithm) && isSafeRsa(key.asymmetricKeyDetails)
    case 'ec':
      return CURVE_OF[algorithm] === key.asymmetricKeyDetails?.namedCurve && CURVE_OF[algorithm] !== undefined
    case 'ed25519':
      return isEd25519(algorithm)
    default:
      // Node's name of ML-DSA, which the types do not have.
      return (key.asymmetricKeyType as string | undefined) === algorithm.toLowerCase()
  }
}
