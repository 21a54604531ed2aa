import { type CacheStore, HARD_LENGTH, type StoredFrame, type TagVersion } from '../stores/store.js'
import { decodeFrame, type Frame, type TagStamp } from './frame.js'

/** Versions of tags; `undefined` of those that have none. */
export type KnownTags = ReadonlyMap<string, TagVersion | undefined>
export const NONE_KNOWN: KnownTags = new Map()

/** What was known when a lease was granted. */
export interface Granted {
  /** When, by the monotonic clock, in ms: nothing is loaded under it earlier. */
  readonly heldSince: number
  /** Versions of the tags that were named before. */
  readonly tags: KnownTags
  /** For how long those are remembered at least, in ms. */
  readonly tagLifetimeMs: number
}

/** Keeps what was loaded before an invalidation of its tags from being stored, and what was stored before from being served. */
export class TagFence {
  readonly #store: CacheStore
  readonly #isPending: (tag: string) => boolean

  /** @param isPending  a tag has been invalidated here, and the store has not acknowledged it yet */
  constructor(store: CacheStore, isPending: (tag: string) => boolean) {
    this.#store = store
    this.#isPending = isPending
  }

  /** Versions of tags, which are remembered from now on. @throws RedisUnavailable */
  async open(tags: readonly string[], lifetimeMs: number): Promise<ReadonlyMap<string, TagVersion>> {
    const versions = tags.length === 0 ? [] : await this.#store.openTags(tags, lifetimeMs)
    return new Map(tags.map((tag, index) => [tag, versions[index]!]))
  }

  /** Versions at the start of the load; `undefined` if a tag that became known only now was invalidated since. */
  async stamps(
    granted: Granted,
    tags: readonly string[],
    lifetimeMs: number,
  ): Promise<TagStamp[] | undefined> {
    // Tags that were opened for a shorter time than the entry lives are opened again, and must be the same still.
    const late = tags.filter((tag) => !granted.tags.has(tag) || lifetimeMs > granted.tagLifetimeMs)
    const known = await this.open(late, lifetimeMs)
    for (const [tag, { version, quietSince }] of known) {
      const before = granted.tags.get(tag)
      if (before === undefined ? quietSince > granted.heldSince : version !== before.version) return undefined
    }
    return tags.map((tag) => ({ tag, version: (granted.tags.get(tag) ?? known.get(tag)!).version }))
  }

  /** Versions of all tags of some frames, asked for once. */
  async versionsOf(frames: readonly (StoredFrame | undefined)[]): Promise<KnownTags> {
    const stamps = frames.flatMap((stored) => (stored && decodeFrame(stored.frame))?.tags ?? [])
    return this.#read([...new Set(stamps.map(({ tag }) => tag))])
  }

  /**
   * @param named  tags without which it does not count
   * @returns a number: it was softly invalidated at that time
   */
  async validity(
    { kind, tags: stamps }: Frame,
    named: readonly string[],
    known: KnownTags,
  ): Promise<'valid' | 'invalid' | number> {
    // What was stored by those who did not name these tags yet could not be invalidated by them.
    if (kind !== 'vary' && named.some((tag) => !stamps.some((stamp) => stamp.tag === tag))) return 'invalid'
    if (stamps.length === 0) return 'valid'
    if (stamps.some(({ tag }) => this.#isPending(tag))) return 'invalid'
    const read = await this.#read(stamps.map(({ tag }) => tag).filter((tag) => !known.has(tag)))
    let validity: 'valid' | number = 'valid'
    for (const { tag, version } of stamps) {
      const now = known.get(tag) ?? read.get(tag)
      if (now?.version === version) continue
      if (now?.version.slice(0, HARD_LENGTH) !== version.slice(0, HARD_LENGTH)) return 'invalid'
      validity = Math.min(validity === 'valid' ? Number.POSITIVE_INFINITY : validity, now.invalidatedAt)
    }
    return validity
  }

  async #read(tags: readonly string[]): Promise<KnownTags> {
    if (tags.length === 0) return NONE_KNOWN
    const versions = await this.#store.readTags(tags)
    return new Map(tags.map((tag, index) => [tag, versions[index]]))
  }
}
