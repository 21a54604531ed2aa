import type { IncomingHttpHeaders } from 'node:http'
import type { Entries, Lease } from '../entries/entries.js'
import type { Draft, Entry } from '../entries/entry.js'
import type { HttpRequest } from '../http/cache-key.js'
import { encodeResponse } from '../http/stored-response.js'
import { keyBehind, markerOf, type VaryMarker, variantKey } from '../http/vary.js'
import type { ResolvedHttpOptions } from './options.js'
import type { CachePlan, HttpCacheParts, RunOutcome, ToStore, Visit } from './visit.js'

/** For how long requests for what proved uncacheable do not wait for one another, in ms. */
const HIT_FOR_MISS_MS = 10_000
/** Variants of one resource; of more, the one goes that was stored longest ago. */
const MAX_VARIANTS = 32

/** Stored responses among the entries: a resource with variants has a marker under its key, which leads to them. */
export class Responses {
  readonly #options: ResolvedHttpOptions
  readonly #parts: HttpCacheParts
  readonly #entries: Entries

  constructor(options: ResolvedHttpOptions, parts: HttpCacheParts) {
    this.#options = options
    this.#parts = parts
    this.#entries = parts.coordinator.entries
  }

  /** A copy in this process that may be served, in this tick. */
  here({ key }: CachePlan, req: HttpRequest, nowMs: number): Entry | undefined {
    const entry = this.#entries.here(key, nowMs)
    return entry?.kind === 'vary' ? this.#entries.here(keyBehind(entry, key, req), nowMs) : entry
  }

  /** The key of what this request asks for, as far as it is known here. */
  keyOf({ key }: CachePlan, req: HttpRequest): string {
    return keyBehind(this.#entries.local.find(key, performance.now()), key, req)
  }

  /** From the store, without a lease; `undefined` also if it does not answer. */
  async read({ key }: CachePlan, req: HttpRequest): Promise<Entry | undefined> {
    try {
      const [entry] = await this.#entries.read([key])
      return entry?.kind === 'vary' ? (await this.#entries.read([keyBehind(entry, key, req)]))[0] : entry
    } catch (error) {
      this.#parts.coordinator.reports.storeError('read', error)
      return undefined
    }
  }

  /**
   * Stores what came of a run of the handler, and ends its lease.
   *
   * @param key      under which the lease is held
   * @param headers  of the request, as it came
   * @throws RedisUnavailable
   */
  async commit(
    visit: Visit,
    key: string,
    lease: Lease | undefined,
    headers: IncomingHttpHeaders,
    outcome: RunOutcome,
  ): Promise<void> {
    const { reports } = this.#parts.coordinator
    if (outcome.kind === 'stored') {
      const stored = lease !== undefined && (await this.#store(visit, key, lease, headers, outcome))
      reports.load(stored ? 'stored' : lease === undefined ? 'unstored' : 'fenced', outcome.costMs)
      return
    }
    reports.load(outcome.kind === 'refused' ? 'unstored' : 'failed', 0)
    if (lease === undefined) return
    if (outcome.kind !== 'refused' || outcome.transient) await this.#entries.release(key, lease)
    else await this.#entries.fill(key, lease, markerDraft('uncacheable', null, HIT_FOR_MISS_MS), visit.tags)
  }

  async #store(
    { plan, tags: named }: Visit,
    key: string,
    lease: Lease,
    headers: IncomingHttpHeaders,
    outcome: ToStore,
  ): Promise<boolean> {
    const tags = [...new Set([...named, ...outcome.tags])]
    const draft = this.#draft(outcome)
    const known = key === plan.key ? undefined : await this.#marker(plan.key)
    const names = [...new Set([...(known?.names ?? []), ...outcome.response.vary])].sort()
    if (names.length === 0) return this.#entries.fill(key, lease, draft, tags)
    const target = variantKey(plan.key, names, headers)
    const marker = withVariant(known, names, target)
    for (const variant of marker.variants.splice(0, marker.variants.length - MAX_VARIANTS)) {
      const evicted = `${plan.key}\n#${variant}`
      this.#entries.local.invalidateKey(evicted)
      await this.#entries.store.remove(evicted)
    }
    const pointer = markerDraft('vary', marker, draft.ttlMs + draft.staleIfErrorMs)
    if (key === plan.key) {
      const stored = await this.#entries.fill(key, lease, pointer, named)
      return stored && this.#entries.fillBeside(lease, target, draft, tags)
    }
    if (known === undefined || !known.variants.includes(marker.variants.at(-1)!))
      await this.#entries.fillBeside(lease, plan.key, pointer, named)
    if (key === target) return this.#entries.fill(key, lease, draft, tags)
    // The response varies on more than was known: its place is not the one that the lease is for.
    await this.#entries.fillBeside(lease, target, draft, tags)
    await this.#entries.release(key, lease)
    return true
  }

  async #marker(key: string): Promise<VaryMarker | undefined> {
    const copy = this.#entries.local.find(key, performance.now())
    return markerOf(copy ?? (await this.#entries.read([key]))[0])
  }

  #draft({ response, ttlMs, swrMs, costMs }: ToStore): Draft {
    const body = encodeResponse(response)
    const { etag, lastModified } = response.validators
    const keepMs = etag === undefined && lastModified === undefined ? 0 : this.#options.keepMs
    return {
      ...draftOf('response', body),
      // Chunks that the handler wrote may be views of something larger.
      value: { ...response, body: Buffer.from(response.body) },
      valueBytes: body.length * 2,
      ttlMs,
      staleWhileRevalidateMs: swrMs,
      staleIfErrorMs: Math.max(response.staleIfErrorMs, keepMs),
      costMs,
    }
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

function draftOf(kind: 'response' | 'vary' | 'uncacheable', body: Buffer) {
  const none = { compressed: false, codec: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0, l1TtlMs: 0 }
  return { ...none, kind, body, costMs: 0 }
}

function markerDraft(kind: 'vary' | 'uncacheable', value: VaryMarker | null, ttlMs: number): Draft {
  const body = Buffer.from(JSON.stringify(value))
  return { ...draftOf(kind, body), value, valueBytes: body.length * 3, ttlMs }
}
