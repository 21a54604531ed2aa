import type { LoadedSession, SessionRecord } from './stores/record.js'
import type { SessionRef } from './stores/token.js'

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
  /** Whether its cookie outlives the browser; `undefined`: as the transport says. */
  persistent: boolean | undefined
  /** Id of a session under the same tag that it replaces: it ends in the same step, and does not count. */
  replaces?: string
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
  /** The value that the writer saw, where a write is to be merged. */
  readonly base?: string | undefined
}

/** What came of `create`. */
export type CreateOutcome =
  | { outcome: 'created'; nowMs: number; evicted: number; replaced: LoadedSession | undefined }
  /** The quota is full and `evict` is `reject`: nothing was stored, nothing ended. */
  | { outcome: 'full' }
  /** There is such a session, or was lately: nothing was stored. */
  | { outcome: 'exists' }

/** What a write does beside marking the session as seen now. */
export interface SessionWrite {
  readonly changes?: readonly Change[]
  /**
   * When somebody else has changed a key since the writer saw it. `report`: nothing is written; `overwrite`: it is;
   * `merge`: objects are joined member by member, as `merge` in data/merge.ts does; all else is overwritten.
   */
  readonly onConflict: 'report' | 'overwrite' | 'merge'
  /** Bytes of all keys and values above which nothing is written; 0 for any. Within a few bytes a key. Default 0 */
  readonly maxBytes?: number
  /** The session's own from now on. Default: each as it was */
  readonly lifetime?:
    | undefined
    | {
        readonly idleTimeoutMs: number
        /** From now; absent: as it was */
        readonly absoluteTimeoutMs?: number
        readonly persistent?: boolean | undefined
      }
  /** Replaces the token. Default: it stays */
  readonly rotation?: Rotation | undefined
}

/** How a token is replaced. */
export interface Rotation {
  /** Of the successor that `nonce` makes. */
  readonly digest: string
  readonly nonce: string
  /**
   * Sets `authenticatedAt`, ends the old token at once, and replaces the token also where another request has just
   * done so. Otherwise the old one opens the session until its successor was used.
   */
  readonly elevate: boolean
}

/** What came of `write`. */
export type WriteOutcome =
  | {
      outcome: 'written'
      nowMs: number
      /** Of the changes; 0 if there were none. */
      revision: number
      expiresAt: number
      /** Keys that somebody else had changed, and what they are now. */
      met: ReadonlyMap<string, string | undefined>
      /** Makes the successor of the writer's token: another's, if that came first. `undefined`: there is none */
      nonce: string | undefined
    }
  /** Nothing was written: these keys have changed since the writer saw them. */
  | { outcome: 'conflict'; current: ReadonlyMap<string, { revision: number; text: string | undefined }> }
  /** Nothing was written: with what others have stored it would be more than `maxBytes`. */
  | { outcome: 'too-large'; bytes: number }
  /** Nothing was written: the session ended, or the token does not open it any more. */
  | { outcome: 'ended' }

/** What marks the places of sessions, so that a made-up one is known without asking. */
export interface PlaceMark {
  /** 43 characters. */
  readonly key: string
  /** Whether there are no places without it. Otherwise there may be some of before it was made. */
  readonly isComplete: boolean
}

/** Who writes. */
export interface Writer {
  /** Of the token that the writer came with. */
  readonly digest: string
  /**
   * `authenticatedAt` of the session when the token opened it, 0 for none: until that changes, the token opens the
   * session for this writer, whatever has replaced it, though nothing replaces it any more. Absent: it has to be good now
   */
  readonly openedWhen?: number
}

/** A use of a token, by which a session is loaded. */
export interface TokenUse {
  readonly digest: string
  /** How long a token that this one replaces opens the session from its first use on, in ms. */
  readonly overlapMs: number
}

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

/** What a store knows of a place. */
export type Loading = LoadedSession | 'ended' | undefined

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
   * @param use  the first use of a token that replaced another ends the time of the other. Default: only looks
   * @returns `undefined` if there is none; `ended` for a minute after a request has ended it
   */
  load(ref: SessionRef, use?: TokenUse): Loading | Promise<Loading>
  /** Stores a new session and puts it into its user's index, where expired ones are removed on the way. */
  create(ref: SessionRef, session: NewSession): Promise<CreateOutcome>
  /** Changes only the given keys, if the writer's token opens the session, and marks the session as seen now. */
  write(ref: SessionRef, writer: Writer, write: SessionWrite): Promise<WriteOutcome>
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
  /** The key of the marks, made at its first use and the same for all processes. Absent: places are not marked */
  mark?(): Promise<PlaceMark>
}
