import type { KeyObject } from 'node:crypto'
import { compactVerify, errors } from 'jose'
import type { Algorithm } from './algorithms.js'

/**
 * Verifies the signature of a canonical compact JWS, by jose.
 *
 * @param key  known to fit the algorithm
 * @throws what jose throws if the key or the runtime is not made for it
 */
export async function isSignedBy(jws: string, key: KeyObject, algorithm: Algorithm): Promise<boolean> {
  try {
    await compactVerify(jws, key, { algorithms: [algorithm] })
    return true
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return false
    throw error
  }
}
