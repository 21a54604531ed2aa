import type { FamilyRef } from '../issuer/refresh-token.js'

/** What a family is made with. */
export interface NewFamily {
  /** Of its first token. */
  readonly digest: string
  readonly userId: string
  /** It ends when nobody refreshes for this long, in ms. */
  readonly idleTimeoutMs: number
  /** It ends after this, in ms. */
  readonly absoluteTimeoutMs: number
  /** What was granted, as text. */
  readonly grant: string
  /** Which device it is on, as text; may be empty. */
  readonly device: string
  /** Thumbprint of the only key that may exchange its tokens; empty: none is needed. */
  readonly boundTo: string
  /** Families that the user may have, with this one, ≥ 1. */
  readonly maxPerUser: number
}

/** A family, as the store has it. Instants by the store's clock, in epoch ms. */
export interface Family {
  readonly userId: string
  readonly createdAt: number
  /** Its absolute end. */
  readonly expiresAt: number
  readonly grant: string
}

/** The exchange of a token. */
export interface FamilyRotation {
  /** Of the successor. */
  readonly digest: string
  /** Makes the successor, together with the token that is replaced. */
  readonly nonce: string
  /** How long the replaced token is answered with the same successor, in ms. 0: not at all */
  readonly graceMs: number
  /** Thumbprint of the key that was proved; empty: none. */
  readonly provedKey: string
}

/** What became of an exchange. */
export type RotateOutcome =
  /** The successor is the family's token now. */
  | { readonly outcome: 'rotated'; readonly nowMs: number; readonly family: Family }
  /** Another request was first, within the grace: its nonce makes the same successor. Nothing changed. */
  | { readonly outcome: 'repeated'; readonly nowMs: number; readonly nonce: string; readonly family: Family }
  /**
   * The token was replaced longer ago than the grace, and the family has ended with this call; or it ended before and is not
   * forgotten yet.
   */
  | { readonly outcome: 'reused'; readonly userId: string }
  /** The family is bound to another key than the one that was proved. Nothing changed. */
  | { readonly outcome: 'other-key' }
  /** There is no such family: it ended, was revoked, or never was. */
  | { readonly outcome: 'unknown' }

/** One line of the list of a user's families. */
export interface ListedFamily extends Omit<Family, 'userId' | 'grant'> {
  readonly id: string
  /** Of the last refresh, in epoch ms. */
  readonly refreshedAt: number
  readonly device: string
}

/**
 * Families of refresh tokens. Every call is atomic: two at once are ordered, and the later sees what the earlier did.
 * Of a token the store knows the SHA-256 only. Any store may stand behind; its contract is a suite under
 * `@scale/auth/testing`.
 *
 * Every call may reject with the store's error.
 */
export interface FamilyStore {
  /**
   * Stores a new family, and lists it with its user's. If there are too many then, those go that would end first if nobody used
   * them again.
   *
   * @returns the store's clock
   */
  create(ref: FamilyRef, family: NewFamily): Promise<number>
  /**
   * Exchanges a token for its successor.
   *
   * Of the tokens that were replaced, the last 8 are known for their grace; any other token of the family counts as used
   * again, and ends it.
   *
   * @param digest  of the token that was presented
   */
  rotate(ref: FamilyRef, digest: string, rotation: FamilyRotation): Promise<RotateOutcome>
  /**
   * Ends a family at once. Whose it was is remembered until `forget`, so that what belongs to its end can be done again until it
   * held.
   *
   * @returns whose it was, also if it ended before; `undefined` if there is none
   */
  end(ref: FamilyRef): Promise<string | undefined>
  /** Forgets a family that has ended. */
  forget(ref: FamilyRef): Promise<void>
  /**
   * The families of a user that are alive, the last used first.
   *
   * @param after  id of a family: those that come after it. If it is not there any more, none
   */
  list(tag: string, limit: number, after?: string): Promise<readonly ListedFamily[]>
  /** Ends all families of a user, in one step. @returns how many, and the store's clock */
  endAll(tag: string): Promise<{ count: number; nowMs: number }>
}
