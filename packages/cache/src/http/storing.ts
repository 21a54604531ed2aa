import type { IncomingHttpHeaders } from 'node:http'
import { loadChannel } from '../channels.js'
import type { Draft, Lease } from '../entries.js'
import type { LeadOutcome } from './leader.js'
import type { ResolvedHttpOptions } from './options.js'
import { groupTag, originOf } from './plan.js'
import { encodeResponse } from './stored-response.js'
import { parseStringList } from './structured-fields.js'
import { markerOf, type VaryMarker, variantKey } from './variants.js'
import type { HttpCacheParts, Visit } from './visit.js'

/** For how long requests for what proved uncacheable do not wait for one another, in ms. */
const HIT_FOR_MISS_MS = 10_000
/** Variants of one resource; of more, the one goes that was stored longest ago. */
const MAX_VARIANTS = 32
const MAX_WIRE_TAGS = 128

type Stored = Extract<LeadOutcome, { kind: 'stored' }>

/** Stores what came of a run of the handler, and ends its lease. */
export class Storing {
  readonly #options: ResolvedHttpOptions
  readonly #parts: HttpCacheParts

  constructor(options: ResolvedHttpOptions, parts: HttpCacheParts) {
    this.#options = options
    this.#parts = parts
  }

  /**
   * @param key      under which the lease is held
   * @param headers  of the request, as it came
   * @throws RedisUnavailable
   */
  async commit(
    visit: Visit,
    key: string,
    lease: Lease | undefined,
    headers: IncomingHttpHeaders,
    outcome: LeadOutcome,
  ): Promise<void> {
    const { entries } = this.#parts
    if (outcome.kind === 'stored') {
      const stored = lease !== undefined && (await this.#store(visit, key, lease, headers, outcome))
      this.#report(stored ? 'stored' : lease === undefined ? 'unstored' : 'fenced', outcome.costMs)
      return
    }
    this.#report(outcome.kind === 'refused' ? 'unstored' : 'failed', 0)
    if (lease === undefined) return
    if (outcome.kind !== 'refused' || outcome.transient) await entries.release(key, lease)
    else await entries.fill(key, lease, markerDraft('uncacheable', null, HIT_FOR_MISS_MS), visit.tags)
  }

  async #store(
    { req, plan, tags: named }: Visit,
    key: string,
    lease: Lease,
    headers: IncomingHttpHeaders,
    outcome: Stored,
  ): Promise<boolean> {
    const { entries } = this.#parts
    const tags = [...new Set([...named, ...wireTags(outcome.groups, originOf(req))])]
    const draft = this.#draft(outcome)
    const known = key === plan.key ? undefined : await this.#marker(plan.key)
    const names = [...new Set([...(known?.names ?? []), ...outcome.response.vary])].sort()
    if (names.length === 0) return entries.fill(key, lease, draft, tags)
    const target = variantKey(plan.key, names, headers)
    const marker = withVariant(known, names, target)
    for (const variant of marker.variants.splice(0, marker.variants.length - MAX_VARIANTS)) {
      const evicted = `${plan.key}\n#${variant}`
      entries.local.invalidateKey(evicted)
      await entries.store.remove(evicted)
    }
    const pointer = markerDraft('vary', marker, draft.ttlMs + draft.staleIfErrorMs)
    if (key === plan.key) {
      const stored = await entries.fill(key, lease, pointer, named)
      return stored && entries.fillBeside(lease, target, draft, tags)
    }
    if (known === undefined || !known.variants.includes(marker.variants.at(-1)!))
      await entries.fillBeside(lease, plan.key, pointer, named)
    if (key === target) return entries.fill(key, lease, draft, tags)
    // The response varies on more than was known: its place is not the one that the lease is for.
    await entries.fillBeside(lease, target, draft, tags)
    await entries.release(key, lease)
    return true
  }

  async #marker(key: string): Promise<VaryMarker | undefined> {
    const { entries } = this.#parts
    return markerOf(entries.find(key, performance.now()) ?? (await entries.read(key)))
  }

  #draft({ response, ttlMs, swrMs, costMs }: Stored): Draft {
    const body = encodeResponse(response)
    const { etag, lastModified } = response.validators
    const keepMs = etag === undefined && lastModified === undefined ? 0 : this.#options.keepMs
    return {
      kind: 'response',
      body,
      compressed: false,
      codec: 0,
      // Chunks that the handler wrote may be views of something larger.
      value: { ...response, body: Buffer.from(response.body) },
      valueBytes: body.length * 2,
      ttlMs,
      staleWhileRevalidateMs: swrMs,
      staleIfErrorMs: Math.max(response.staleIfErrorMs, keepMs),
      l1TtlMs: 0,
      costMs,
    }
  }

  #report(outcome: 'stored' | 'fenced' | 'unstored' | 'failed', durationMs: number): void {
    if (loadChannel.hasSubscribers) loadChannel.publish({ cache: this.#parts.name, outcome, durationMs })
  }
}

/** The marker with this variant as the newest. */
function withVariant(
  known: VaryMarker | undefined,
  names: readonly string[],
  target: string,
): VaryMarker & { readonly variants: string[] } {
  const variant = target.slice(target.lastIndexOf('#') + 1)
  const isSame = known?.names.length === names.length && known.names.every((name, i) => name === names[i])
  if (!isSame) return { names, variants: [variant] }
  return { names, variants: [...known.variants.filter((other) => other !== variant), variant] }
}

/** Cache groups are of one origin; surrogate keys are plain tags. */
function wireTags([groups = '', surrogateKeys = '']: readonly string[], origin: string): string[] {
  const grouped = (parseStringList(groups) ?? [])
    .slice(0, MAX_WIRE_TAGS)
    .map((group) => groupTag(origin, group))
  const plain = surrogateKeys.split(' ').filter((key) => key !== '' && key.length <= 1_024)
  return [...grouped, ...plain.slice(0, MAX_WIRE_TAGS)]
}

function markerDraft(kind: 'vary' | 'uncacheable', value: VaryMarker | null, ttlMs: number): Draft {
  const body = Buffer.from(JSON.stringify(value))
  return {
    kind,
    body,
    compressed: false,
    codec: 0,
    value,
    valueBytes: body.length * 3,
    ttlMs,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    l1TtlMs: 0,
    costMs: 0,
  }
}
