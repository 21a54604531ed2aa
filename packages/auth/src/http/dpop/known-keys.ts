import type { KeyObject } from 'node:crypto'

/** A key that a client has signed with. */
export interface KnownKey {
  readonly key: KeyObject
  /** RFC 7638, SHA-256. */
  readonly thumbprint: string
}

const MAX_KEYS = 1_000

/** Keys of clients, so that each is not read anew for each request, which costs more than a signature does. */
export class KnownKeys {
  readonly #keys = new Map<string, KnownKey>()

  get(name: string): KnownKey | undefined {
    return this.#keys.get(name)
  }

  /** Only of a proof that was good: others could push them out. */
  add(name: string, key: KnownKey): void {
    if (this.#keys.has(name)) return
    if (this.#keys.size >= MAX_KEYS) this.#keys.delete(this.#keys.keys().next().value!)
    this.#keys.set(name, key)
  }
}
