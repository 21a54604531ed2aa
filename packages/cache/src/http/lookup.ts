import { storeErrorChannel } from '../channels.js'
import type { Found } from '../entries.js'
import type { Entry } from '../entry.js'
import type { ResolvedHttpOptions } from './options.js'
import type { HttpRequest } from './plan.js'
import { keyBehind } from './variants.js'
import type { CachePlan, HttpCacheParts, Visit } from './visit.js'

/** Finds stored responses: here, and in the store. A resource with variants takes a look at its marker first. */
export class Lookup {
  readonly #options: ResolvedHttpOptions
  readonly #parts: HttpCacheParts

  constructor(options: ResolvedHttpOptions, parts: HttpCacheParts) {
    this.#options = options
    this.#parts = parts
  }

  /** A trusted copy in this process, in this tick. */
  local(plan: CachePlan, req: HttpRequest, nowMs: number): Entry | undefined {
    const { local } = this.#parts.entries
    if (!local.trusted(nowMs)) return undefined
    let entry = local.find(plan.key, nowMs)
    if (entry?.kind === 'vary') entry = local.find(keyBehind(entry, plan.key, req), nowMs)
    return entry !== undefined && nowMs < entry.l1Until ? entry : undefined
  }

  /** The key of what this request asks for, as far as it is known here. */
  currentKey(plan: CachePlan, req: HttpRequest): string {
    const entry = this.#parts.entries.find(plan.key, performance.now())
    return entry === undefined ? plan.key : keyBehind(entry, plan.key, req)
  }

  /** From the store, without a lease; `undefined` also if it does not answer. */
  async read(plan: CachePlan, req: HttpRequest): Promise<Entry | undefined> {
    const { entries } = this.#parts
    try {
      const entry = await entries.read(plan.key)
      return entry?.kind === 'vary' ? await entries.read(keyBehind(entry, plan.key, req)) : entry
    } catch (error) {
      this.failed('read', error)
      return undefined
    }
  }

  /** From the store, or the lease; `undefined` if it does not answer. */
  async load(visit: Visit, key: string, rejectedId: string | undefined): Promise<Found | undefined> {
    const { entries } = this.#parts
    const { ttlMs, staleIfErrorMs, keepMs } = this.#options
    if (!entries.store.available(key)) return undefined
    try {
      return await entries.load(key, {
        tags: visit.tags,
        tagLifetimeMs: ttlMs + staleIfErrorMs + keepMs,
        rejectedId,
      })
    } catch (error) {
      this.failed('load', error)
      return undefined
    }
  }

  failed(operation: 'load' | 'read' | 'fill', error: unknown): void {
    if (storeErrorChannel.hasSubscribers)
      storeErrorChannel.publish({ cache: this.#parts.name, operation, error })
  }
}
