import { setTimeout as delay } from 'node:timers/promises'
import type { CacheStore } from '../stores/store.js'

/** What is to be invalidated. */
export type Invalidation =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'tags'; readonly tags: readonly string[]; readonly soft: boolean }

/** Beyond this many, the oldest unacknowledged ones are given up: their entries end with their lifetime. */
const MAX_UNACKNOWLEDGED = 10_000
const RETRY_MS = 500
/** How long `close` waits for what is not acknowledged, in ms. */
const CLOSE_MS = 2_000
/** Tags in one invalidation that is sent. */
const MAX_TAGS = 500
/** Invalidations that are repeated at a time. */
const BATCH = 100

/**
 * Sends invalidations to the store, and repeats those that it did not acknowledge until it does. To repeat one is
 * harmless: at worst a newer value is loaded again. A read waits for none but that of its own key.
 */
export class Invalidations {
  readonly #store: CacheStore
  readonly #lifetimeMs: number
  readonly #onError: (error: unknown) => void
  readonly #unacknowledged = new Map<string, Invalidation>()
  /** How many of those are of each tag. */
  readonly #tags = new Map<string, number>()
  readonly #sending = new Set<Promise<boolean>>()
  #retry: NodeJS.Timeout | undefined
  #flushing: Promise<boolean> | undefined

  /** @param lifetimeMs  for how long a tag's invalidation is remembered; outlasts any load */
  constructor(store: CacheStore, lifetimeMs: number, onError: (error: unknown) => void) {
    this.#store = store
    this.#lifetimeMs = lifetimeMs
    this.#onError = onError
  }

  /** True while what this process has deleted under the key may still be found in the store. */
  holds(key: string): boolean {
    return this.#unacknowledged.size > 0 && this.#unacknowledged.has(idOf(key))
  }

  /** True while entries with the tag, which this process has invalidated, may still be found in the store. */
  holdsTag(tag: string): boolean {
    return this.#tags.size > 0 && this.#tags.has(tag)
  }

  /** @returns whether the store has acknowledged it; if not, it is repeated until it does */
  async send(invalidation: Invalidation): Promise<boolean> {
    const sending = this.#sendParts(invalidation)
    this.#sending.add(sending)
    return sending.finally(() => this.#sending.delete(sending))
  }

  async #sendParts(invalidation: Invalidation): Promise<boolean> {
    let acknowledged = true
    for (const part of partsOf(invalidation)) {
      if (await this.#try(part)) continue
      acknowledged = false
      this.#remember(part)
    }
    return acknowledged
  }

  /** Repeats the deletion of one key. @returns whether it is acknowledged */
  async settle(key: string): Promise<boolean> {
    const invalidation = this.#unacknowledged.get(idOf(key))
    if (invalidation === undefined) return true
    if (!(await this.#try(invalidation))) return false
    this.#forget(idOf(key), invalidation)
    return true
  }

  /** @returns whether everything is acknowledged */
  async close(): Promise<boolean> {
    clearTimeout(this.#retry)
    const giveUpAt = performance.now() + CLOSE_MS
    await Promise.race([Promise.all(this.#sending), delay(CLOSE_MS, undefined, { ref: false })])
    while (this.#unacknowledged.size > 0 && performance.now() < giveUpAt) {
      if (await this.#flush()) break
      await delay(50)
    }
    clearTimeout(this.#retry)
    const acknowledged = this.#unacknowledged.size === 0 && this.#sending.size === 0
    this.#unacknowledged.clear()
    this.#tags.clear()
    return acknowledged
  }

  #flush(): Promise<boolean> {
    this.#flushing ??= this.#sendAll().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async #sendAll(): Promise<boolean> {
    for (;;) {
      const batch = [...this.#unacknowledged].slice(0, BATCH)
      if (batch.length === 0) return true
      const sent = await Promise.all(
        batch.map(async ([id, invalidation]) => {
          const acknowledged = await this.#try(invalidation)
          if (acknowledged) this.#forget(id, invalidation)
          return acknowledged
        }),
      )
      if (sent.includes(false)) {
        this.#schedule()
        return false
      }
    }
  }

  async #try(invalidation: Invalidation): Promise<boolean> {
    try {
      if (invalidation.kind === 'key') await this.#store.remove(invalidation.key)
      else await this.#store.invalidateTags(invalidation.tags, invalidation.soft, this.#lifetimeMs)
      return true
    } catch (error) {
      this.#onError(error)
      return false
    }
  }

  #remember(invalidation: Invalidation): void {
    const id = invalidation.kind === 'key' ? idOf(invalidation.key) : JSON.stringify(invalidation)
    if (!this.#unacknowledged.has(id)) this.#count(invalidation, 1)
    this.#unacknowledged.set(id, invalidation)
    if (this.#unacknowledged.size > MAX_UNACKNOWLEDGED) {
      for (const [oldest, given] of this.#unacknowledged) {
        this.#forget(oldest, given)
        break
      }
    }
    this.#schedule()
  }

  #forget(id: string, invalidation: Invalidation): void {
    if (this.#unacknowledged.delete(id)) this.#count(invalidation, -1)
  }

  #count(invalidation: Invalidation, by: 1 | -1): void {
    if (invalidation.kind === 'key') return
    for (const tag of invalidation.tags) {
      const count = (this.#tags.get(tag) ?? 0) + by
      if (count > 0) this.#tags.set(tag, count)
      else this.#tags.delete(tag)
    }
  }

  #schedule(): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.#flush(), RETRY_MS).unref()
  }
}

function idOf(key: string): string {
  return `key ${key}`
}

/** A call that names very many tags is sent in parts, so that none of them holds up the event loop or the store. */
function* partsOf(invalidation: Invalidation): Iterable<Invalidation> {
  if (invalidation.kind === 'key') {
    yield invalidation
    return
  }
  const { tags } = invalidation
  for (let i = 0; i < tags.length; i += MAX_TAGS) yield { ...invalidation, tags: tags.slice(i, i + MAX_TAGS) }
}
