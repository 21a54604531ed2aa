import { randomText } from '@scale/core'
import type { CacheCorruptMessage } from '../channels.js'
import { type CacheStore, HARD_LENGTH, type StoredFrame, type TagVersion } from '../store.js'
import type { Entry } from './entry.js'
import { staleFrom } from './entry.js'
import { decodeFrame, encodeFrame, type Frame, type FrameKind, graceMsOf, type TagStamp } from './frame.js'
import type { LocalCopies, PendingRead } from './local-copies.js'

/** The right to fill a key, and what was known when it was granted. */
export interface Lease {
  readonly token: string
  /** When it was granted, by the monotonic clock, in ms: nothing is loaded under it earlier. */
  readonly heldSince: number
  /** Versions of the tags that were named before. */
  readonly tags: ReadonlyMap<string, TagVersion>
  /** For how long those are remembered at least, in ms. */
  readonly tagLifetimeMs: number
  /** There was something under the key: stale, or invalid. */
  readonly hadEntry: boolean
  readonly read: PendingRead
}

/** What was found. `entry` is fresh or stale, and never invalid; `rejectedId` is of one that is. */
export interface Found {
  readonly entry: Entry | undefined
  readonly lease: Lease | undefined
  readonly rejectedId: string | undefined
  /** For how much longer somebody else holds the lease, in ms. */
  readonly leaseLeftMs: number
}

/** A value that is to become an entry. */
export interface Draft {
  readonly kind: FrameKind
  readonly body: Buffer
  readonly compressed: boolean
  readonly codec: number
  /** What the entry holds in process. */
  readonly value: unknown
  readonly valueBytes: number
  readonly ttlMs: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  readonly l1TtlMs: number
  readonly costMs: number
}

/** Turns the body of a frame into what is held in process. */
export interface BodyDecoder {
  /** @returns `undefined` if the body cannot be read: the entry is then a miss */
  decode(frame: Frame): Promise<{ value: unknown; bytes: number } | undefined>
}

/** Entries of both layers: finds, checks tags, keeps copies, fills. Knows nothing of loaders or of HTTP. */
export class Entries {
  readonly store: CacheStore
  readonly local: LocalCopies
  readonly #decoder: BodyDecoder
  readonly #leaseMs: number
  readonly #isPending: (tag: string) => boolean
  readonly #onCorrupt: (reason: CacheCorruptMessage['reason']) => void

  constructor(
    store: CacheStore,
    local: LocalCopies,
    options: {
      decoder: BodyDecoder
      leaseMs: number
      onCorrupt: (reason: CacheCorruptMessage['reason']) => void
      /** A tag has been invalidated here, and the store has not acknowledged it yet. */
      isPending: (tag: string) => boolean
    },
  ) {
    this.store = store
    this.local = local
    this.#decoder = options.decoder
    this.#leaseMs = options.leaseMs
    this.#onCorrupt = options.onCorrupt
    this.#isPending = options.isPending
  }

  /** A copy in this process that may be served, in this tick: fresh, or stale. */
  here(key: string, nowMs: number): Entry | undefined {
    const entry = this.local.find(key, nowMs)
    return entry !== undefined && nowMs < entry.l1Until && this.local.trusted(nowMs) ? entry : undefined
  }

  /**
   * In the store, with the lease if there is nothing fresh. One round trip; a second one if the entry carries tags
   * that the caller did not name.
   *
   * @param tagLifetimeMs  for how long `tags` must be remembered
   * @throws RedisUnavailable
   */
  async load(
    key: string,
    options: { tags: readonly string[]; tagLifetimeMs: number; rejectedId?: string | undefined },
  ): Promise<Found> {
    const { tags, tagLifetimeMs, rejectedId } = options
    const token = randomText(12, 'base64url')
    const read = this.local.beginRead(key)
    try {
      const request = { token, leaseMs: this.#leaseMs, ...(rejectedId === undefined ? {} : { rejectedId }) }
      const [loaded, versions] = await Promise.all([
        this.store.load(key, request),
        tags.length === 0 ? [] : this.store.openTags(tags, tagLifetimeMs),
      ])
      const known = new Map(tags.map((tag, index) => [tag, versions[index]!]))
      const lease =
        loaded.state === 'lead'
          ? {
              token,
              heldSince: performance.now(),
              tags: known,
              tagLifetimeMs,
              hadEntry: loaded.stored !== undefined,
              read,
            }
          : undefined
      const { entry, id } = await this.#checked(loaded.stored, tags, known)
      if (lease === undefined) {
        if (entry !== undefined) this.local.keep(read, entry)
        this.local.endRead(read)
      }
      return {
        entry,
        lease,
        rejectedId: loaded.state === 'fresh' && !isFresh(entry) ? id : undefined,
        leaseLeftMs: loaded.state === 'wait' ? loaded.leaseLeftMs : 0,
      }
    } catch (error) {
      this.local.endRead(read)
      throw error
    }
  }

  /** In the store, without a lease: in one trip, and a second one for their tags. @throws RedisUnavailable */
  async read(keys: readonly string[]): Promise<(Entry | undefined)[]> {
    const reads = keys.map((key) => this.local.beginRead(key))
    try {
      const frames = await this.store.read(keys)
      const known = keys.length === 1 ? NONE_KNOWN : await this.#versionsOf(frames)
      return await Promise.all(
        frames.map(async (stored, index) => {
          const { entry } = await this.#checked(stored, [], known)
          if (entry !== undefined) this.local.keep(reads[index]!, entry)
          return entry
        }),
      )
    } finally {
      for (const read of reads) this.local.endRead(read)
    }
  }

  /**
   * Stores what was loaded under a lease.
   *
   * @param tags  all of them, also those that are known only now
   * @returns whether it was stored: not if the key, or a tag, was invalidated meanwhile
   * @throws RedisUnavailable
   */
  async fill(key: string, lease: Lease, draft: Draft, tags: readonly string[]): Promise<boolean> {
    try {
      const stamps = await this.#stamps(lease, tags, lifetimeOf(draft))
      if (stamps === undefined) {
        await this.store.release(key, lease.token)
        return false
      }
      const frame = frameOf(draft, stamps)
      const nowMs = performance.now()
      const stored = await this.store.fill(key, lease.token, encodeFrame(frame), lifetimeOf(draft))
      if (stored) this.local.keep(lease.read, entryOf(frame, { ...draft, nowMs }))
      return stored
    } finally {
      this.local.endRead(lease.read)
    }
  }

  /**
   * Stores under another key what was loaded under a lease: a variant of a response, say. Its tags fence it off from
   * invalidations, as they were when the lease was granted.
   *
   * @throws RedisUnavailable
   */
  async fillBeside(lease: Lease, key: string, draft: Draft, tags: readonly string[]): Promise<boolean> {
    const stamps = await this.#stamps(lease, tags, lifetimeOf(draft))
    if (stamps === undefined) return false
    const frame = frameOf(draft, stamps)
    const nowMs = performance.now()
    const read = this.local.beginRead(key)
    try {
      await this.store.put(key, encodeFrame(frame), lifetimeOf(draft))
      this.local.keep({ ...read, startedAt: lease.read.startedAt }, entryOf(frame, { ...draft, nowMs }))
      return true
    } finally {
      this.local.endRead(read)
    }
  }

  /** Gives a lease back: nothing was loaded, or it is not to be stored. @throws RedisUnavailable */
  async release(key: string, lease: Lease): Promise<void> {
    this.local.endRead(lease.read)
    await this.store.release(key, lease.token)
  }

  /** Gives a lease back, and removes what is there: what was loaded says that nothing is to be kept. */
  async discard(key: string, lease: Lease): Promise<void> {
    this.local.endRead(lease.read)
    this.local.invalidateKey(key)
    if (lease.hadEntry) await this.store.remove(key)
    else await this.store.release(key, lease.token)
  }

  /** Prolongs a lease. @throws RedisUnavailable */
  async renew(key: string, lease: Lease): Promise<boolean> {
    return this.store.renew(key, lease.token, this.#leaseMs)
  }

  /** Stores a value whatever is being loaded. @throws RedisUnavailable */
  async put(key: string, draft: Draft, tags: readonly string[]): Promise<void> {
    const versions = await this.store.openTags(tags, lifetimeOf(draft))
    const stamps = tags.map((tag, index) => ({ tag, version: versions[index]!.version }))
    const read = this.local.beginRead(key)
    try {
      const frame = frameOf(draft, stamps)
      const nowMs = performance.now()
      await this.store.put(key, encodeFrame(frame), lifetimeOf(draft))
      this.local.keep(read, entryOf(frame, { ...draft, nowMs }))
    } finally {
      this.local.endRead(read)
    }
  }

  /** Versions at the start of the load; `undefined` if a tag that became known only now was invalidated since. */
  async #stamps(
    lease: Lease,
    tags: readonly string[],
    tagLifetimeMs: number,
  ): Promise<TagStamp[] | undefined> {
    // Tags that were opened for a shorter time than the entry lives are opened again, and must be the same still.
    const late = tags.filter((tag) => !lease.tags.has(tag) || tagLifetimeMs > lease.tagLifetimeMs)
    const versions = late.length === 0 ? [] : await this.store.openTags(late, tagLifetimeMs)
    const known = new Map(late.map((tag, index) => [tag, versions[index]!]))
    for (const [tag, { version, quietSince }] of known) {
      const before = lease.tags.get(tag)
      if (before === undefined ? quietSince > lease.heldSince : version !== before.version) return undefined
    }
    return tags.map((tag) => ({ tag, version: (lease.tags.get(tag) ?? known.get(tag)!).version }))
  }

  /** Decodes a frame and compares its tags with their versions now. */
  async #checked(
    stored: StoredFrame | undefined,
    named: readonly string[],
    known: KnownTags,
  ): Promise<{ entry: Entry | undefined; id: string | undefined }> {
    if (stored === undefined) return { entry: undefined, id: undefined }
    const nowMs = performance.now()
    const frame = decodeFrame(stored.frame)
    if (frame === undefined) {
      this.#onCorrupt('frame')
      return { entry: undefined, id: stored.frame.toString('latin1', 24, 32) }
    }
    // What was stored by those who did not name these tags yet could not be invalidated by them.
    const lacksOne = named.some((tag) => !frame.tags.some((stamp) => stamp.tag === tag))
    const isMarker = frame.kind === 'vary'
    const validity = lacksOne && !isMarker ? 'invalid' : await this.#validity(frame.tags, known)
    if (validity === 'invalid') return { entry: undefined, id: frame.id }
    const decoded = await this.#decoder.decode(frame)
    if (decoded === undefined) return { entry: undefined, id: frame.id }
    const entry = entryOf(frame, {
      value: decoded.value,
      valueBytes: decoded.bytes,
      ttlMs: stored.remainingMs - graceMsOf(frame),
      nowMs,
    })
    return {
      entry: validity === 'valid' ? entry : staleFrom(entry, Math.min(nowMs, validity), nowMs),
      id: frame.id,
    }
  }

  /** Of all tags of some frames, asked for once. */
  async #versionsOf(frames: readonly (StoredFrame | undefined)[]): Promise<KnownTags> {
    const tags = new Set<string>()
    for (const stored of frames) {
      for (const { tag } of (stored && decodeFrame(stored.frame))?.tags ?? []) tags.add(tag)
    }
    if (tags.size === 0) return NONE_KNOWN
    const names = [...tags]
    const versions = await this.store.readTags(names)
    return new Map(names.map((tag, index) => [tag, versions[index]]))
  }

  /** @returns a number: it was softly invalidated at that time */
  async #validity(stamps: readonly TagStamp[], known: KnownTags): Promise<'valid' | 'invalid' | number> {
    if (stamps.length === 0) return 'valid'
    if (stamps.some(({ tag }) => this.#isPending(tag))) return 'invalid'
    const unknown = stamps.map(({ tag }) => tag).filter((tag) => !known.has(tag))
    const versions = unknown.length === 0 ? [] : await this.store.readTags(unknown)
    const read = new Map(unknown.map((tag, index) => [tag, versions[index]]))
    let validity: 'valid' | number = 'valid'
    for (const { tag, version } of stamps) {
      const now = known.get(tag) ?? read.get(tag)
      if (now?.version === version) continue
      if (now?.version.slice(0, HARD_LENGTH) !== version.slice(0, HARD_LENGTH)) return 'invalid'
      validity = Math.min(validity === 'valid' ? Number.POSITIVE_INFINITY : validity, now.invalidatedAt)
    }
    return validity
  }
}

/** Versions of tags; `undefined` of those that have none. */
type KnownTags = ReadonlyMap<string, TagVersion | undefined>
const NONE_KNOWN: KnownTags = new Map()

export function isFresh(entry: Entry | undefined): boolean {
  return entry !== undefined && performance.now() < entry.freshUntil
}

/** How long the store keeps it: fresh and stale, in ms. */
function lifetimeOf(draft: Draft): number {
  return Math.ceil(draft.ttlMs) + graceMsOf(draft)
}

function frameOf(draft: Draft, tags: readonly TagStamp[]): Frame {
  const { kind, body, compressed, codec, costMs, l1TtlMs, staleWhileRevalidateMs, staleIfErrorMs } = draft
  const id = randomText(8, 'latin1')
  return { kind, body, compressed, codec, costMs, l1TtlMs, staleWhileRevalidateMs, staleIfErrorMs, id, tags }
}

function entryOf(
  frame: Frame,
  made: { value: unknown; valueBytes: number; ttlMs: number; nowMs: number },
): Entry {
  const { nowMs } = made
  const freshUntil = nowMs + made.ttlMs
  return {
    kind: frame.kind,
    value: made.value,
    id: frame.id,
    costMs: frame.costMs,
    freshUntil,
    endsAt: freshUntil,
    staleUntil: freshUntil + frame.staleWhileRevalidateMs,
    errorUntil: freshUntil + frame.staleIfErrorMs,
    l1Until: frame.l1TtlMs === 0 ? Number.POSITIVE_INFINITY : nowMs + frame.l1TtlMs,
    tags: frame.tags,
    bytes: made.valueBytes + frame.tags.reduce((sum, { tag }) => sum + tag.length * 2 + 80, 0),
  }
}
