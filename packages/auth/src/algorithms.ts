import type { KeyObject } from 'node:crypto'

/** A signature algorithm of RFC 7518 or RFC 8037. `none` is not among them and cannot be asked for. */
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

/** Every {@link Algorithm}. */
export const algorithms: readonly Algorithm[] = Object.freeze([
  ...(['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA'] as const),
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

/** Whether a key is of the kind that an algorithm takes, and large enough for it (RFC 7518 §3.2, §3.3). */
export function fits(key: KeyObject, algorithm: Algorithm): boolean {
  if (isSymmetric(algorithm)) {
    return key.type === 'secret' && (key.symmetricKeySize ?? 0) * 8 >= Number(algorithm.slice(2))
  }
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return /^[RP]S/.test(algorithm) && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS
    case 'ec':
      return CURVE_OF[algorithm] === key.asymmetricKeyDetails?.namedCurve && CURVE_OF[algorithm] !== undefined
    case 'ed25519':
      return algorithm === 'EdDSA'
    default:
      return false
  }
}
