import type { LoadedSession, SessionRecord } from './record.js'
import type { SessionRef } from './token.js'

/** A new session. The store adds the instants. */
export interface NewSession {
  /** SHA-256 of the token. */
  digest: string
  userId: string | undefined
  /** Address and agent, encoded; empty for none. */
  client: string
  idleTimeoutMs: number
  absoluteTimeoutMs: number
  /** Top-level keys and their encoded values. */
  data: readonly (readonly [key: string, text: string])[]
  /** How many sessions the user may have, and what happens to one too many. */
  maxPerUser: SessionQuota | undefined
}

/** A cap on the sessions of one user. */
export interface SessionQuota {
  /** Sessions at a time, 1–10,000. */
  quota: number
  /** `oldest`: the one that was not used for the longest time ends; `reject`: the login fails. */
  evict: 'oldest' | 'reject'
}

/** What a write does to one top-level key. */
export interface Change {
  readonly key: string
  /** The revision in which the writer saw the key; 0 if it saw none. */
  readonly revision: number
  /** The new encoded value; `undefined` removes the key. */
  readonly text: string | undefined
}

/** What came of `create`. */
export type CreateOutcome =
  | { outcome: 'created'; nowMs: number; evicted: number }
  /** The quota is full and `evict` is `reject`: nothing was stored. */
  | { outcome: 'full' }
  /** There is such a session: nothing was stored. */
  | { outcome: 'exists' }

/** What came of `save`. */
export type SaveOutcome =
  | { outcome: 'saved'; nowMs: number; revision: number; overwritten: readonly string[] }
  /** Nothing was written: these keys have changed since the writer saw them. */
  | { outcome: 'conflict'; current: ReadonlyMap<string, { revision: number; text: string | undefined }> }
  /** Nothing was written: the session ended, or the token does not open it any more. */
  | { outcome: 'ended' }

/** How a token is replaced. */
export interface Rotation {
  digest: string
  nonce: string
  /** How long the old token opens the session, in ms; 0 ends it at once. */
  graceMs: number
  /** Sets `authenticatedAt`, and replaces the token also where another request has just done so. */
  elevate: boolean
}

/** What came of `rotate`. */
export type RotateOutcome =
  | { outcome: 'rotated'; nowMs: number }
  /** Another request was first; its nonce makes the same successor. */
  | { outcome: 'already'; nowMs: number; nonce: string }
  | { outcome: 'ended' }

/** One line of the list of a user's sessions. */
export interface ListedSession {
  readonly id: string
  readonly record: Pick<
    SessionRecord,
    'createdAt' | 'lastSeenAt' | 'authenticatedAt' | 'expiresAt' | 'idleTimeoutMs'
  >
  /** Address and agent of the client that logged in, as `create` was given them. */
  readonly client: string
}

/**
 * Keeps sessions. Each call is atomic, and all calls on one session, and on the sessions of one user, happen one
 * after another. The store owns the clock.
 *
 * Nothing but `create` makes a session: a write to one that ended leaves nothing behind. A session with a user is
 * alive only while its user's index has it. Sessions past their time count as gone, whether removed already or not.
 *
 * Every call may reject when there is no answer; the caller then assumes that a write may have happened.
 */
export interface SessionStore {
  /**
   * Reads a session, without judging it (`refusalOf` does). Answers in the same tick if it can.
   *
   * @returns `undefined` if there is none
   */
  load(ref: SessionRef): LoadedSession | undefined | Promise<LoadedSession | undefined>
  /** Stores a new session and puts it into its user's index, where expired ones are removed on the way. */
  create(ref: SessionRef, session: NewSession): Promise<CreateOutcome>
  /**
   * Changes only the given keys, if the token still opens the session, and marks the session as seen now.
   *
   * @param digest      of the token that the writer came with
   * @param changes     may be empty: then it only marks
   * @param onConflict  `report`: nothing is written if a key has changed since; `overwrite`: it is
   * @param idleTimeoutMs  the session's idle timeout from now on. Default: as it was
   */
  save(
    ref: SessionRef,
    digest: string,
    changes: readonly Change[],
    onConflict: 'report' | 'overwrite',
    idleTimeoutMs?: number,
  ): Promise<SaveOutcome>
  /**
   * Replaces the token; data, index and clocks stay.
   *
   * @param digest  of the token that the caller came with
   */
  rotate(ref: SessionRef, digest: string, rotation: Rotation): Promise<RotateOutcome>
  /** Ends a session. @returns what it was, also if it was past its time; `undefined` if there was none */
  end(ref: SessionRef): Promise<LoadedSession | undefined>
  /**
   * The sessions of one tag's user, the last used first.
   *
   * @param limit  1–10,000
   */
  list(tag: string, limit: number): Promise<ListedSession[]>
  /**
   * Ends all sessions of one tag's user in one step, however many there are.
   *
   * @param keepId  one that stays, if it is among them
   * @returns how many ended
   */
  endAll(tag: string, keepId?: string): Promise<number>
}
