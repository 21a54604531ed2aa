import type { Entry } from './entry.js'
import { L1 } from './l1.js'
import { braced, isHashed, unbraced } from './names.js'

/** Says whether this process has heard of every invalidation. */
export interface Coherence {
  /** True if everything that was acknowledged more than δ ago has been heard of. Costs a comparison. */
  trusted(nowMs: number): boolean
  /** For how long that has not been so, in ms; 0 while it is. */
  silentForMs(nowMs: number): number
}

/** A read of the store that is under way. What it finds may be older than what has been heard since. */
export interface PendingRead {
  readonly key: string
  /** Its name in the store, if the key cannot be read from it. */
  readonly name: string | undefined
  readonly startedAt: number
  voided: boolean
}

interface Copy {
  readonly entry: Entry
  /** Point of the sequence of events at which it was read. */
  readonly at: number
  readonly name: string | undefined
  /** Its tags, by the names under which their invalidation travels. */
  readonly tags: readonly string[]
}

const MAX_INVALIDATED_TAGS = 100_000
const NAME_BYTES = 150

/**
 * Copies of entries in this process, and what is known of their validity.
 *
 * A copy is of a point in a local sequence of events. A tag that was invalidated later than that point makes it
 * invalid; so does an invalidation of its key, which removes it, and voids the reads that are under way.
 */
export class LocalCopies {
  readonly coherence: Coherence
  readonly #l1: L1<Copy>
  /** Keys whose names do not tell them, of all copies and reads under way. */
  readonly #keysByName = new Map<string, string>()
  readonly #pending = new Map<string, Set<PendingRead>>()
  /** Point of the last invalidation of each tag; none is older than `#floor`. */
  #tags = new Map<string, number>()
  #sequence = 0

  constructor(maxBytes: number, coherence: Coherence) {
    this.#l1 = new L1(maxBytes, ({ name }) => this.#forgetName(name))
    this.coherence = coherence
  }

  get bytes(): number {
    return this.#l1.bytes
  }

  /** A copy that nothing has made invalid, as far as has been heard; it may be stale, or the channel silent. */
  find(key: string, nowMs: number): Entry | undefined {
    const copy = this.#l1.get(key)
    if (copy === undefined) return undefined
    const { entry, tags } = copy
    for (let i = 0; i < tags.length; i++) {
      if ((this.#tags.get(tags[i]!) ?? 0) > copy.at) {
        this.#l1.delete(key)
        return undefined
      }
    }
    if (nowMs >= entry.staleUntil && nowMs >= entry.errorUntil) {
      this.#l1.delete(key)
      return undefined
    }
    return entry
  }

  /**
   * Call it before the store is asked; what is found may be kept only if nothing was heard meanwhile.
   *
   * @param startedAt  of what is to be kept, if that began earlier
   */
  beginRead(key: string, startedAt: number = this.#sequence): PendingRead {
    const name = isHashed(key) ? braced(key) : undefined
    if (name !== undefined) this.#keysByName.set(name, key)
    const read = { key, name, startedAt, voided: false }
    const reads = this.#pending.get(key)
    if (reads === undefined) this.#pending.set(key, new Set([read]))
    else reads.add(read)
    return read
  }

  endRead(read: PendingRead): void {
    const reads = this.#pending.get(read.key)
    if (!reads?.delete(read) || reads.size > 0) return
    this.#pending.delete(read.key)
    if (this.#l1.peek(read.key) === undefined) this.#forgetName(read.name)
  }

  /** Keeps an entry, unless it, or one of its tags, was invalidated since `read` began. */
  keep(read: PendingRead, entry: Entry): void {
    if (read.voided || this.#l1.maxBytes === 0) return
    const tags = entry.tags.map(({ tag }) => braced(tag))
    if (tags.some((name) => (this.#tags.get(name) ?? 0) > read.startedAt)) return
    const copy = { entry, at: read.startedAt, name: read.name, tags }
    this.#l1.set(read.key, copy, entry.bytes + (read.name === undefined ? 0 : NAME_BYTES))
  }

  /** The key of this name in the store; `undefined` if nothing is known of it here. */
  keyOf(name: string): string | undefined {
    return unbraced(name) ?? this.#keysByName.get(name)
  }

  invalidateKey(key: string): void {
    this.#l1.delete(key)
    for (const read of this.#pending.get(key) ?? []) read.voided = true
  }

  /** @param name  of the tag, as it travels */
  invalidateTag(name: string): void {
    if (this.#tags.size >= MAX_INVALIDATED_TAGS && !this.#tags.has(name)) this.invalidateAll()
    this.#tags.set(name, ++this.#sequence)
  }

  /** Something may have been missed. */
  invalidateAll(): void {
    this.#sequence++
    this.#l1.clear()
    this.#keysByName.clear()
    this.#tags = new Map()
    for (const reads of this.#pending.values()) {
      for (const read of reads) {
        read.voided = true
        if (read.name !== undefined) this.#keysByName.set(read.name, read.key)
      }
    }
  }

  #forgetName(name: string | undefined): void {
    if (name !== undefined) this.#keysByName.delete(name)
  }
}
