import { randomText } from '@scale/core'
import { frameIdentity } from '../entries/frame.js'
import { newVersion } from './redis.js'
import {
  type CacheStore,
  HARD_LENGTH,
  type LeaseRequest,
  type Loaded,
  type StoredFrame,
  type TagVersion,
} from './store.js'

interface Stored {
  frame: Buffer
  expiresAt: number
}

interface Lease {
  token: string
  expiresAt: number
}

/**
 * Entries in this process, for one process and for tests. Bounded: the oldest frames are evicted first, and a lost
 * tag only makes its entries a miss.
 */
export class MemoryStore implements CacheStore {
  readonly #frames = new Map<string, Stored>()
  readonly #leases = new Map<string, Lease>()
  readonly #tags = new Map<string, TagVersion>()
  readonly #maxBytes: number
  readonly #now: () => number
  #bytes = 0

  /**
   * @param maxBytes  of all frames and their keys
   * @param now       epoch ms; a test passes its own clock
   */
  constructor(maxBytes: number, now: () => number = Date.now) {
    this.#maxBytes = maxBytes
    this.#now = now
  }

  available(): boolean {
    return true
  }

  async load(key: string, { token, leaseMs, rejectedId }: LeaseRequest): Promise<Loaded> {
    const stored = this.#find(key)
    if (stored !== undefined) {
      const identity = frameIdentity(stored.frame)
      if (identity && stored.remainingMs > identity.graceMs && identity.id !== rejectedId) {
        return { state: 'fresh', stored }
      }
    }
    const nowMs = this.#now()
    const lease = this.#leases.get(key)
    if (lease !== undefined && lease.expiresAt > nowMs) {
      return { state: 'wait', stored, leaseLeftMs: lease.expiresAt - nowMs }
    }
    this.#leases.set(key, { token, expiresAt: nowMs + leaseMs })
    return { state: 'lead', stored }
  }

  async read(keys: readonly string[]): Promise<(StoredFrame | undefined)[]> {
    return keys.map((key) => this.#find(key))
  }

  async fill(key: string, token: string, frame: Buffer, lifetimeMs: number): Promise<boolean> {
    if (!this.#holds(key, token)) return false
    this.#store(key, frame, lifetimeMs)
    return true
  }

  async renew(key: string, token: string, leaseMs: number): Promise<boolean> {
    if (!this.#holds(key, token)) return false
    this.#leases.set(key, { token, expiresAt: this.#now() + leaseMs })
    return true
  }

  async release(key: string, token: string): Promise<void> {
    if (this.#holds(key, token)) this.#leases.delete(key)
  }

  async put(key: string, frame: Buffer, lifetimeMs: number): Promise<void> {
    this.#store(key, frame, lifetimeMs)
  }

  async remove(key: string): Promise<void> {
    this.#leases.delete(key)
    this.#drop(key)
  }

  async openTags(tags: readonly string[]): Promise<TagVersion[]> {
    return tags.map((tag) => {
      const known = this.#tags.get(tag)
      if (known !== undefined) return known
      const never = Number.NEGATIVE_INFINITY
      const version = newHard() + newVersion()
      return this.#setTag(tag, { version, quietSince: never, invalidatedAt: never })
    })
  }

  async readTags(tags: readonly string[]): Promise<(TagVersion | undefined)[]> {
    return tags.map((tag) => this.#tags.get(tag))
  }

  async invalidateTags(tags: readonly string[], soft: boolean): Promise<void> {
    for (const tag of tags) {
      const known = this.#tags.get(tag)
      const hard = soft && known !== undefined ? known.version.slice(0, HARD_LENGTH) : newHard()
      const nowMs = performance.now()
      this.#setTag(tag, { version: hard + newVersion(), quietSince: nowMs, invalidatedAt: nowMs })
    }
  }

  #find(key: string): StoredFrame | undefined {
    const stored = this.#frames.get(key)
    if (stored === undefined) return undefined
    const remainingMs = stored.expiresAt - this.#now()
    if (remainingMs > 0) return { frame: stored.frame, remainingMs }
    this.#drop(key)
    return undefined
  }

  #holds(key: string, token: string): boolean {
    const lease = this.#leases.get(key)
    return lease !== undefined && lease.token === token && lease.expiresAt > this.#now()
  }

  #store(key: string, frame: Buffer, lifetimeMs: number): void {
    this.#leases.delete(key)
    this.#drop(key)
    this.#frames.set(key, { frame, expiresAt: this.#now() + lifetimeMs })
    this.#bytes += sizeOf(key, frame)
    for (const oldest of this.#frames.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const stored = this.#frames.get(key)
    if (stored === undefined) return
    this.#bytes -= sizeOf(key, stored.frame)
    this.#frames.delete(key)
  }

  /** The longest unchanged tags go first: their entries become a miss. */
  #setTag(tag: string, version: TagVersion): TagVersion {
    this.#tags.delete(tag)
    this.#tags.set(tag, version)
    if (this.#tags.size > MAX_TAGS) {
      for (const oldest of this.#tags.keys()) {
        this.#tags.delete(oldest)
        break
      }
    }
    return version
  }
}

const MAX_TAGS = 100_000

/** The part of a version that outlives a soft invalidation. */
function newHard(): string {
  return randomText(21, 'base64url')
}

/** What a Map entry and its objects cost beside the bytes. */
const ENTRY_OVERHEAD_BYTES = 200

function sizeOf(key: string, frame: Buffer): number {
  return frame.length + key.length + ENTRY_OVERHEAD_BYTES
}
