import {
  constants,
  createHmac,
  type KeyObject,
  type SignKeyObjectInput,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { type Algorithm, isSymmetric } from './algorithms.js'

const verifyOnPool = promisify(verify)

/** What verifies in less time than the way to the thread pool and back takes. */
const MAX_QUICK_RSA_BITS = 4_096

/**
 * Verifies the signature of a canonical compact JWS, by Node's own cryptography.
 *
 * At once where that costs the event loop no more than asking the thread pool would: a P-256 signature takes 60 µs, and the
 * way to the pool and back as much again. Larger keys go there.
 *
 * @param key  known to fit the algorithm
 * @see RFC 7515 §5.2 · RFC 7518 §3 · RFC 8037 §3.1
 */
export function isSignedBy(jws: string, key: KeyObject, algorithm: Algorithm): boolean | Promise<boolean> {
  const end = jws.lastIndexOf('.')
  const text = Buffer.from(jws.slice(0, end), 'latin1')
  const signature = Buffer.from(jws.slice(end + 1), 'base64url')
  const digest = algorithm === 'EdDSA' ? null : `sha${algorithm.slice(2)}`
  if (isSymmetric(algorithm)) {
    const code = createHmac(digest!, key).update(text).digest()
    return code.length === signature.length && timingSafeEqual(code, signature)
  }
  const how: SignKeyObjectInput = { key, ...parametersOf(algorithm) }
  return isQuick(key, algorithm)
    ? verify(digest, text, how, signature)
    : verifyOnPool(digest, text, how, signature)
}

/** RFC 7518 §3.4: R and S as they are, and no DER; §3.5: a salt as long as the digest. */
function parametersOf(algorithm: Algorithm): Omit<SignKeyObjectInput, 'key'> {
  if (algorithm.startsWith('ES')) return { dsaEncoding: 'ieee-p1363' }
  if (!algorithm.startsWith('PS')) return {}
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}

function isQuick({ asymmetricKeyDetails }: KeyObject, algorithm: Algorithm): boolean {
  if (/^[RP]S/.test(algorithm)) return (asymmetricKeyDetails?.modulusLength ?? 0) <= MAX_QUICK_RSA_BITS
  return algorithm === 'ES256' || algorithm === 'EdDSA'
}
