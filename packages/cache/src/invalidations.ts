import type { CacheStore } from './store.js'

/** What is to be invalidated. */
export type Invalidation =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'tags'; readonly tags: readonly string[]; readonly soft: boolean }

/** Beyond this many, the oldest unacknowledged ones are given up: their entries end with their lifetime. */
const MAX_UNACKNOWLEDGED = 10_000
const RETRY_MS = 500

/**
 * Sends invalidations to the store, and repeats those that it did not acknowledge until it does. To repeat one is
 * harmless: at worst a newer value is loaded again.
 */
export class Invalidations {
  readonly #store: CacheStore
  readonly #lifetimeMs: number
  readonly #onError: (error: unknown) => void
  readonly #unacknowledged = new Map<string, Invalidation>()
  #retry: NodeJS.Timeout | undefined
  #flushing: Promise<boolean> | undefined

  /** @param lifetimeMs  for how long a tag's invalidation is remembered; outlasts any load */
  constructor(store: CacheStore, lifetimeMs: number, onError: (error: unknown) => void) {
    this.#store = store
    this.#lifetimeMs = lifetimeMs
    this.#onError = onError
  }

  /** True while something that this process has invalidated may still be found in the store. */
  get hasUnacknowledged(): boolean {
    return this.#unacknowledged.size > 0
  }

  /** @returns whether the store has acknowledged it; if not, it is repeated until it does */
  async send(invalidation: Invalidation): Promise<boolean> {
    const acknowledged = await this.#try(invalidation)
    if (!acknowledged) this.#remember(invalidation)
    return acknowledged
  }

  /** Repeats what was not acknowledged. @returns whether nothing is left */
  flush(): Promise<boolean> {
    this.#flushing ??= this.#sendAll().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  close(): void {
    clearTimeout(this.#retry)
    this.#unacknowledged.clear()
  }

  async #sendAll(): Promise<boolean> {
    for (const [id, invalidation] of this.#unacknowledged) {
      if (!(await this.#try(invalidation))) {
        this.#schedule()
        return false
      }
      this.#unacknowledged.delete(id)
    }
    return true
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
    this.#unacknowledged.set(JSON.stringify(invalidation), invalidation)
    if (this.#unacknowledged.size > MAX_UNACKNOWLEDGED) {
      for (const oldest of this.#unacknowledged.keys()) {
        this.#unacknowledged.delete(oldest)
        break
      }
    }
    this.#schedule()
  }

  #schedule(): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.flush(), RETRY_MS).unref()
  }
}
