import { UnusableKeySet } from '../errors.js'
import { isSymmetric } from '../verification/algorithms.js'
import { type Asking, fetchObject } from './fetch-object.js'
import { type Jwk, type VerificationKey, verificationKey } from './key-set.js'
import { providerUrl } from './remote-options.js'

/** More keys than any provider has; each costs time to read. */
const MAX_KEYS = 100

/**
 * Fetches a key set. Redirects are refused: a key set elsewhere is another key set.
 *
 * @returns the keys that can verify, at least one; unusable ones and shared secrets are left out
 * @throws {UnusableKeySet} the answer is no key set
 * @throws what `fetch` throws
 */
export async function fetchJwks(url: URL, asking: Asking): Promise<readonly VerificationKey[]> {
  return usableKeys(await jsonAt(url, asking))
}

/**
 * Fetches the key set that the metadata of an issuer name.
 *
 * @throws {UnusableKeySet} they are of another issuer, or name none
 * @see OpenID Connect Discovery 1.0 §4 · RFC 8414 §3
 */
export async function discoverJwks(
  issuer: string,
  asking: Asking & { readonly allowHttp: boolean },
): Promise<readonly VerificationKey[]> {
  const base = new URL(issuer)
  const path = base.pathname.replace(/\/$/, '')
  const openId = new URL(`${path}/.well-known/openid-configuration`, base)
  const oauth = new URL(`/.well-known/oauth-authorization-server${path}`, base)
  const metadata = await jsonAt(openId, asking).catch((error: unknown) => {
    if ((error as Partial<UnusableKeySet>).answered !== 404) throw error
    return jsonAt(oauth, asking)
  })
  // RFC 8414 §3.3: else one issuer could speak for another.
  if (metadata.issuer !== issuer) throw new UnusableKeySet('the metadata are those of another issuer')
  const address = providerUrl(String(metadata.jwks_uri), asking.allowHttp)
  if (address === undefined) throw new UnusableKeySet('the metadata have no `jwks_uri` that may be asked')
  return fetchJwks(address, asking)
}

function jsonAt(url: URL, asking: Asking): Promise<Readonly<Record<string, unknown>>> {
  const headers = { Accept: 'application/jwk-set+json, application/json' }
  return fetchObject(
    url,
    { headers },
    asking,
    (problem, answered) => new UnusableKeySet(problem, { answered }),
  )
}

function usableKeys({ keys }: Readonly<Record<string, unknown>>): readonly VerificationKey[] {
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) {
    throw new UnusableKeySet(`the answer has no \`keys\`, or more than ${MAX_KEYS}`)
  }
  const usable = keys
    .filter((jwk): jwk is Jwk => typeof jwk === 'object' && jwk !== null)
    .flatMap((jwk) => verificationKey(jwk) ?? [])
    // A secret that is published is none.
    .filter(({ algorithms }) => !algorithms.some(isSymmetric))
  if (usable.length === 0) throw new UnusableKeySet('none of its keys can verify signatures')
  return usable
}
