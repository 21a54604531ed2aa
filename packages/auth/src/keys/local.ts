import { InvalidOption } from '@scale/core'
import { type Jwk, type Jwks, type KeySet, pick, verificationKey } from './key-set.js'

/**
 * Keys that the app has itself, such as the public keys of a partner, or `{ kty: 'oct', k }` for HMAC. Of a private key
 * only the public part is used.
 *
 * @param keys  one or more JWKs, or a JWKS
 * @throws {InvalidOption} there is none, a key is unusable or too small, or two have one `kid`
 */
export function localKeys(keys: Jwk | readonly Jwk[] | Jwks): KeySet {
  const list = listOf(keys)
  const usable = list.map((jwk, index) => {
    const key = typeof jwk === 'object' && jwk !== null ? verificationKey(jwk) : undefined
    if (key !== undefined) return key
    throw new InvalidOption(
      `localKeys: key ${index + 1} cannot verify signatures: its type or curve is unknown, its \`alg\` or \`use\` says ` +
        'otherwise, or it is too small (RSA: 2,048 bits; HMAC: as long as the hash). ML-DSA needs Node 24.7.',
    )
  })
  if (usable.length === 0) throw new InvalidOption('localKeys: at least one key is needed.')
  const names = usable.map(({ kid }) => kid)
  if (new Set(names).size < names.length) {
    throw new InvalidOption('localKeys: each of several keys needs a `kid` of its own.')
  }
  return {
    algorithms: [...new Set(usable.flatMap((key) => key.algorithms))],
    find: (algorithm, kid) => pick(usable, algorithm, kid),
  }
}

function listOf(keys: Jwk | readonly Jwk[] | Jwks): readonly Jwk[] {
  if (Array.isArray(keys)) return keys
  const { keys: inSet } = (keys ?? {}) as Partial<Jwks>
  return Array.isArray(inSet) ? inSet : [keys as Jwk]
}
