/** How a provider is asked. */
export interface Asking {
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly fetch?: typeof fetch
}

/**
 * Asks a provider for a JSON object, within one deadline for all of it. Redirects are refused: what lies elsewhere is another's.
 *
 * @param unusable  makes the error of an answer that cannot be used
 * @throws what `fetch` throws
 */
export async function fetchObject(
  url: URL,
  request: RequestInit,
  { timeoutMs, maxBytes, fetch: load = fetch }: Asking,
  unusable: (problem: string, answered?: number) => Error,
): Promise<Readonly<Record<string, unknown>>> {
  const response = await load(url, {
    ...request,
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw unusable(`the provider answered ${response.status}`, response.status)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    // Leaving the loop cancels the body.
    if (size > maxBytes) throw unusable(`the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  try {
    return (JSON.parse(Buffer.concat(chunks).toString()) ?? {}) as Record<string, unknown>
  } catch {
    // The text stays out: a parser quotes it.
    throw unusable('the answer is no JSON (SyntaxError)')
  }
}
