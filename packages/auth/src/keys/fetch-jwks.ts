import { isSymmetric } from '../algorithms.js'
import { UnusableKeySet } from '../errors.js'
import { type Jwk, type VerificationKey, verificationKey } from './key-set.js'
import { providerUrl, type RemoteKeysConfig } from './remote-options.js'

/** More keys than any provider has; each costs time to read. */
const MAX_KEYS = 100

/** How a provider is asked. */
export type Asking = Pick<RemoteKeysConfig, 'timeoutMs' | 'maxBytes' | 'allowHttp' | 'fetch'>

/**
 * Fetches a key set. Redirects are refused: a key set elsewhere is another key set.
 *
 * @returns the keys that can verify, at least one; unusable ones and shared secrets are left out
 * @throws {UnusableKeySet} the answer is no key set
 * @throws what `fetch` throws
 */
export async function fetchJwks(url: URL, asking: Asking): Promise<readonly VerificationKey[]> {
  return usableKeys(await fetchObject(url, asking))
}

/**
 * Fetches the key set that the metadata of an issuer name.
 *
 * @throws {UnusableKeySet} they are of another issuer, or name none
 * @see OpenID Connect Discovery 1.0 §4 · RFC 8414 §3
 */
export async function discoverJwks(issuer: string, asking: Asking): Promise<readonly VerificationKey[]> {
  const base = new URL(issuer)
  const path = base.pathname.replace(/\/$/, '')
  const openId = new URL(`${path}/.well-known/openid-configuration`, base)
  const oauth = new URL(`/.well-known/oauth-authorization-server${path}`, base)
  const metadata = await fetchObject(openId, asking).catch((error: unknown) => {
    if ((error as Partial<UnusableKeySet>).answered !== 404) throw error
    return fetchObject(oauth, asking)
  })
  // RFC 8414 §3.3: else one issuer could speak for another.
  if (metadata.issuer !== issuer) throw new UnusableKeySet('the metadata are those of another issuer')
  const address = providerUrl(String(metadata.jwks_uri), asking.allowHttp)
  if (address === undefined) throw new UnusableKeySet('the metadata have no `jwks_uri` that may be asked')
  return fetchJwks(address, asking)
}

async function fetchObject(
  url: URL,
  { timeoutMs, maxBytes, fetch: load = fetch }: Asking,
): Promise<Readonly<Record<string, unknown>>> {
  const response = await load(url, {
    headers: { Accept: 'application/jwk-set+json, application/json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new UnusableKeySet(`the provider answered ${response.status}`, { answered: response.status })
  }
  try {
    return (JSON.parse(await readText(response, maxBytes)) ?? {}) as Record<string, unknown>
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new UnusableKeySet('the answer is no JSON (SyntaxError)')
    throw cause
  }
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    // Leaving the loop cancels the body.
    if (size > maxBytes) throw new UnusableKeySet(`the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
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
