import type { KeyObject } from 'node:crypto'
import { compactVerify, errors } from 'jose'
import type { Algorithm } from './algorithms.js'

/** What is wrong with a signature: it is not that of the key, or the text is no JWS after all. */
export interface SignatureRefusal {
  readonly reason: 'signature' | 'malformed'
  readonly cause: unknown
}

/**
 * Verifies the signature of a canonical compact JWS.
 *
 * @param key  known to fit the algorithm
 * @returns `undefined` if it is good
 */
export async function refusalOfSignature(
  jws: string,
  key: KeyObject,
  algorithm: Algorithm,
): Promise<SignatureRefusal | undefined> {
  try {
    await compactVerify(jws, key, { algorithms: [algorithm] })
    return undefined
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed)
      return { reason: 'signature', cause: undefined }
    if (error instanceof errors.JOSEError) return { reason: 'malformed', cause: error }
    throw error
  }
}
