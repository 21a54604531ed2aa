/** What `load` and `read` find under a key. */
export interface StoredFrame {
  readonly frame: Buffer
  /** Until the store drops it, in ms, by the store's clock. */
  readonly remainingMs: number
}

/** Wish to become the one who loads. */
export interface LeaseRequest {
  /** Names this caller; nobody else has it. */
  readonly token: string
  /** For how long the lease holds unless renewed, in ms. */
  readonly leaseMs: number
  /** Id of a frame that the caller has seen and rejected: it counts as stale, whatever its age. */
  readonly rejectedId?: string
}

/** The answer to `load`. */
export type Loaded =
  /** A fresh frame. Nobody needs to load. */
  | { readonly state: 'fresh'; readonly stored: StoredFrame }
  /** The caller holds the lease. There may be a stale frame. */
  | { readonly state: 'lead'; readonly stored: StoredFrame | undefined }
  /** Somebody else holds it, for at most `leaseLeftMs` more. There may be a stale frame. */
  | { readonly state: 'wait'; readonly stored: StoredFrame | undefined; readonly leaseLeftMs: number }

/** The state of a tag. */
export interface TagVersion {
  /** 40 characters, of which the first 28 change by hard invalidation, the others by any; compared for equality only. */
  readonly version: string
  /**
   * By this process's monotonic clock, in ms: the tag has certainly not been invalidated since. Minus infinity if it
   * never has been. In doubt it is later.
   */
  readonly quietSince: number
  /** By the same clock, when it was last invalidated, at the latest; minus infinity if it never has been. */
  readonly invalidatedAt: number
}

/** Length of the part of a tag's version that a soft invalidation leaves as it is. */
export const HARD_LENGTH = 28
/** Length of the whole version. */
export const VERSION_LENGTH = 40

/**
 * Where entries lie. Every method rejects with `RedisUnavailable`, or the like, when the store does not answer.
 *
 * A lease is a right to fill one key. It ends when its time is over, when the value is filled, put or removed, and
 * when its holder releases it. At any time at most one caller holds it. It says nothing about who may read.
 */
export interface CacheStore {
  /** False if a call would fail at once. Costs a comparison. */
  available(key: string): boolean
  /**
   * Finds a fresh frame, or else gives the lease to the caller if it is free: in one step, so that of many callers
   * one leads.
   */
  load(key: string, lease: LeaseRequest): Promise<Loaded>
  /** Finds frames, fresh or stale, and takes no lease. */
  read(keys: readonly string[]): Promise<(StoredFrame | undefined)[]>
  /** Stores the frame and ends the lease, if `token` still holds it. @returns whether it did */
  fill(key: string, token: string, frame: Buffer, lifetimeMs: number): Promise<boolean>
  /** Prolongs the lease to `leaseMs` from now, if `token` still holds it. @returns whether it did */
  renew(key: string, token: string, leaseMs: number): Promise<boolean>
  /** Ends the lease, if `token` still holds it. */
  release(key: string, token: string): Promise<void>
  /** Stores the frame and ends any lease: what is being loaded now is older than this. */
  put(key: string, frame: Buffer, lifetimeMs: number): Promise<void>
  /** Removes the frame and ends any lease. */
  remove(key: string): Promise<void>
  /**
   * Versions of tags; one that has none is given one, unless it has just been invalidated, which gave it one too.
   * It then lives for at least `lifetimeMs` from now.
   */
  openTags(tags: readonly string[], lifetimeMs: number): Promise<TagVersion[]>
  /** Versions of tags, without giving any. */
  readTags(tags: readonly string[]): Promise<(TagVersion | undefined)[]>
  /**
   * Gives tags new versions. O(1) each, whatever number of entries carries them.
   *
   * @param soft        changes only the second half: entries go stale instead of being lost
   * @param lifetimeMs  for how long the invalidation is remembered; must outlast a load
   */
  invalidateTags(tags: readonly string[], soft: boolean, lifetimeMs: number): Promise<void>
}
