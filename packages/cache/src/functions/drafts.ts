import type { Draft } from '../entries/entry.js'
import { assertTags } from '../entries/names.js'
import type { ValueFormat } from '../entries/values.js'
import type { LoadOptions, ResolvedCacheOptions, SetOptions } from '../options.js'

/** A loaded value as every caller sees it, and what to store of it, if it is to be stored. */
export interface Drafted {
  readonly value: unknown
  readonly draft: (Draft & { readonly tags: readonly string[] }) | undefined
}

/**
 * Encodes a loaded value, and works out its lifetimes and tags.
 *
 * @throws what the codec, or a function among the options, throws; {@link InvalidCacheKey} its tags are none
 */
export async function draftOf(
  value: unknown,
  call: LoadOptions<unknown>,
  costMs: number,
  format: ValueFormat,
  cache: ResolvedCacheOptions,
): Promise<Drafted> {
  const encoded = await format.encode(value)
  const given = format.give(encoded.kind, encoded.value)
  if (encoded.isTooLarge) return { value: given, draft: undefined }
  const ttlMs = lifetimeMs(value, call, cache)
  if (!(ttlMs >= 1)) return { value: given, draft: undefined }
  const draft = {
    ...encoded,
    costMs,
    ttlMs,
    tags: tagsOf(value, call),
    ...windowsOf(call, cache),
  }
  return { value: given, draft }
}

/** Named in advance, they were checked in advance. */
function tagsOf(value: unknown, { tags = [] }: LoadOptions<unknown>): readonly string[] {
  if (typeof tags !== 'function') return [...new Set(tags)]
  const told = tags(value)
  assertTags(told)
  return [...new Set(told)]
}

function lifetimeMs(value: unknown, call: LoadOptions<unknown>, cache: ResolvedCacheOptions): number {
  const isNegative = value === null || value === undefined
  const own = typeof call.ttlMs === 'function' ? call.ttlMs(value) : call.ttlMs
  const ttlMs = own ?? (isNegative ? cache.negativeTtlMs : undefined) ?? cache.ttlMs
  return Math.ceil(ttlMs * (1 - Math.random() * cache.jitterRatio))
}

/** For how long a value may be served beyond its freshness, and stay in a process. */
export function windowsOf(
  call: Omit<SetOptions, 'ttlMs' | 'tags'>,
  cache: ResolvedCacheOptions,
): Pick<Draft, 'staleWhileRevalidateMs' | 'staleIfErrorMs' | 'l1TtlMs'> {
  return {
    staleWhileRevalidateMs: call.staleWhileRevalidateMs ?? cache.staleWhileRevalidateMs,
    staleIfErrorMs: call.staleIfErrorMs ?? cache.staleIfErrorMs,
    l1TtlMs: call.l1TtlMs ?? cache.l1TtlMs ?? 0,
  }
}

/** For how long the tags of a value must be remembered, as far as is known before it is loaded, in ms. */
export function longestMs(call: LoadOptions<unknown>, cache: ResolvedCacheOptions): number {
  const freshMs = typeof call.ttlMs === 'number' ? call.ttlMs : cache.ttlMs
  const { staleWhileRevalidateMs, staleIfErrorMs } = windowsOf(call, cache)
  return Math.max(1, Math.ceil(freshMs + Math.max(staleWhileRevalidateMs, staleIfErrorMs)))
}
