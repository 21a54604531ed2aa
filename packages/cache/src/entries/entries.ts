import { randomText } from '@scale/core'
import type { CacheStore, StoredFrame } from '../stores/store.js'
import {
  type Draft,
  type Entry,
  entryOf,
  frameOf,
  type Held,
  isFresh,
  lifetimeOf,
  staleFrom,
} from './entry.js'
import { decodeFrame, encodeFrame, type Frame, graceMsOf, type TagStamp } from './frame.js'
import type { LocalCopies, PendingRead } from './local-copies.js'
import { type Granted, type KnownTags, NONE_KNOWN, type TagFence } from './tag-fence.js'

/** The right to fill a key, and what was known when it was granted. */
export interface Lease extends Granted {
  readonly token: string
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

/** What an entry is made of. */
export interface EntryParts {
  readonly store: CacheStore
  readonly local: LocalCopies
  readonly fence: TagFence
  readonly leaseMs: number
  /** What is held of a frame; `undefined` if its body cannot be read: the entry is then a miss. */
  readonly decode: (frame: Frame) => Promise<Held | undefined>
  /** What lies there is no frame. */
  readonly onCorrupt: () => void
}

/** Entries of both layers: finds, checks tags, keeps copies, fills. Knows nothing of loaders or of HTTP. */
export class Entries {
  readonly store: CacheStore
  readonly local: LocalCopies
  readonly #parts: EntryParts

  constructor(parts: EntryParts) {
    this.store = parts.store
    this.local = parts.local
    this.#parts = parts
  }

  /** A copy in this process that may be served, in this tick: fresh, or stale. */
  here(key: string, nowMs: number): Entry | undefined {
    const entry = this.local.find(key, nowMs)
    return entry !== undefined && nowMs < entry.l1Until && this.local.coherence.trusted(nowMs)
      ? entry
      : undefined
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
    const { fence, leaseMs } = this.#parts
    const token = randomText(12, 'base64url')
    const read = this.local.beginRead(key)
    let lease: Lease | undefined
    try {
      const [loaded, known] = await Promise.all([
        this.store.load(key, { token, leaseMs, ...(rejectedId === undefined ? {} : { rejectedId }) }),
        fence.open(tags, tagLifetimeMs),
      ])
      const hadEntry = loaded.stored !== undefined
      const isLead = loaded.state === 'lead'
      const granted = { token, heldSince: performance.now(), tags: known, tagLifetimeMs, hadEntry, read }
      const { entry, id } = await this.#checked(loaded.stored, tags, known)
      if (isLead) lease = granted
      else if (entry !== undefined) this.local.keep(read, entry)
      return {
        entry,
        lease,
        rejectedId: loaded.state === 'fresh' && !isFresh(entry) ? id : undefined,
        leaseLeftMs: loaded.state === 'wait' ? loaded.leaseLeftMs : 0,
      }
    } finally {
      if (lease === undefined) this.local.endRead(read)
    }
  }

  /** In the store, without a lease: in one trip, and a second one for their tags. @throws RedisUnavailable */
  async read(keys: readonly string[]): Promise<(Entry | undefined)[]> {
    const reads = keys.map((key) => this.local.beginRead(key))
    try {
      const frames = await this.store.read(keys)
      const known = keys.length === 1 ? NONE_KNOWN : await this.#parts.fence.versionsOf(frames)
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
   * Stores what was loaded under a lease, and ends that.
   *
   * @param tags  all of them, also those that are known only now
   * @returns whether it was stored: not if the key, or a tag, was invalidated meanwhile
   * @throws RedisUnavailable
   */
  async fill(key: string, lease: Lease, draft: Draft, tags: readonly string[]): Promise<boolean> {
    try {
      const stamps = await this.#parts.fence.stamps(lease, tags, lifetimeOf(draft))
      if (stamps !== undefined) {
        return await this.#write(draft, stamps, lease.read, (frame, lifetimeMs) =>
          this.store.fill(key, lease.token, frame, lifetimeMs),
        )
      }
      await this.store.release(key, lease.token)
      return false
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
    const stamps = await this.#parts.fence.stamps(lease, tags, lifetimeOf(draft))
    return stamps !== undefined && this.#put(key, draft, stamps, lease.read.startedAt)
  }

  /** Stores a value whatever is being loaded. @throws RedisUnavailable */
  async put(key: string, draft: Draft, tags: readonly string[]): Promise<void> {
    const known = await this.#parts.fence.open(tags, lifetimeOf(draft))
    await this.#put(
      key,
      draft,
      [...known].map(([tag, { version }]) => ({ tag, version })),
    )
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
    return this.store.renew(key, lease.token, this.#parts.leaseMs)
  }

  async #put(key: string, draft: Draft, stamps: readonly TagStamp[], startedAt?: number): Promise<boolean> {
    const read = this.local.beginRead(key, startedAt)
    try {
      return await this.#write(draft, stamps, read, async (frame, lifetimeMs) => {
        await this.store.put(key, frame, lifetimeMs)
        return true
      })
    } finally {
      this.local.endRead(read)
    }
  }

  /** To the store, and if it has been taken there, to this process. */
  async #write(
    draft: Draft,
    stamps: readonly TagStamp[],
    read: PendingRead,
    write: (frame: Buffer, lifetimeMs: number) => Promise<boolean>,
  ): Promise<boolean> {
    const frame = frameOf(draft, stamps)
    const nowMs = performance.now()
    const stored = await write(encodeFrame(frame), lifetimeOf(draft))
    if (stored) this.local.keep(read, entryOf(frame, draft, draft.ttlMs, nowMs))
    return stored
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
      this.#parts.onCorrupt()
      return { entry: undefined, id: stored.frame.toString('latin1', 24, 32) }
    }
    const { id } = frame
    const validity = await this.#parts.fence.validity(frame, named, known)
    const held = validity === 'invalid' ? undefined : await this.#parts.decode(frame)
    if (held === undefined || validity === 'invalid') return { entry: undefined, id }
    const entry = entryOf(frame, held, stored.remainingMs - graceMsOf(frame), nowMs)
    return { entry: validity === 'valid' ? entry : staleFrom(entry, Math.min(nowMs, validity), nowMs), id }
  }
}
