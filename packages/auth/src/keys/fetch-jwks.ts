import { isSymmetric } from '../algorithms.js'
import { UnusableKeySet } from '../errors.js'
import { type Jwk, type VerificationKey, verificationKey } from './key-set.js'

/** More keys than any provider has; each costs time to read. */
const MAX_KEYS = 100

/**
 * Fetches a key set. Redirects are refused: a key set elsewhere is another key set.
 *
 * @returns the keys that can verify, at least one; unusable ones and shared secrets are left out
 * @throws {UnusableKeySet} the answer is no key set
 * @throws what `fetch` throws
 */
export async function fetchJwks(
  url: URL,
  { timeoutMs, maxBytes, fetch: load = fetch }: { timeoutMs: number; maxBytes: number; fetch?: typeof fetch },
): Promise<readonly VerificationKey[]> {
  const response = await load(url, {
    headers: { Accept: 'application/jwk-set+json, application/json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new UnusableKeySet(`the provider answered ${response.status}`)
  }
  return usableKeys(await readText(response, maxBytes))
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

function usableKeys(text: string): readonly VerificationKey[] {
  let keys: unknown
  try {
    keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys
  } catch (cause) {
    throw new UnusableKeySet(`the answer is no JSON (${(cause as Error).name})`)
  }
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
