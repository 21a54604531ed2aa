import { InvalidOption } from '@scale/core'
import { accessToken, type Jwk, type Jwks, localKeys } from '../../src/index.js'
import { isCanonical, readHeader } from '../../src/verification/compact.js'
import { isSignedBy } from '../../src/verification/signature.js'

/**
 * `good`, or at which of the steps that the middleware takes a JWS fails, whatever its payload is. What an algorithm is trusted
 * for is what the keys are for.
 */
export async function judged(
  keys: Jwk | Jwks,
  text: string,
): Promise<'good' | 'keys' | 'form' | 'header' | 'algorithm' | 'key' | 'signature'> {
  if (!isCanonical(text)) return 'form'
  const header = readHeader(text)
  if (typeof header === 'string') return 'header'
  try {
    const set = localKeys(keys)
    accessToken({ issuer: 'joe', audience: 'any', keys: set })
    if (!set.algorithms!.includes(header.alg)) return 'algorithm'
    const key = await set.find(header.alg, header.kid)
    if (key === undefined) return 'key'
    return (await isSignedBy(text, key, header.alg)) ? 'good' : 'signature'
  } catch (error) {
    if (error instanceof InvalidOption) return 'keys'
    throw error
  }
}
