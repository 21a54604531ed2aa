import { type Channel, channel } from '@scale/core'

/** Which session, and whose. Never the token. */
export interface SessionMessage {
  /** Public id, as in the list of a user's sessions. */
  id: string
  /** `undefined` for an anonymous session. */
  userId: string | undefined
}

/** A session was stored for the first time: by a login, or because an anonymous visitor's data was saved. */
export interface CreatedMessage extends SessionMessage {
  by: 'login' | 'data' | 'migration'
}

/** A session has a new token. */
export interface RenewedMessage extends SessionMessage {
  /** `age`: older than `renewAfterMs`; `elevate`: by `elevate()`; `call`: by `renew()`. */
  by: 'age' | 'elevate' | 'call'
}

/** A session ended by the request that held it. */
export interface DestroyedMessage extends SessionMessage {
  /** `undelivered`: a new session whose client had gone before its answer. */
  by: 'destroy' | 'login' | 'regenerate' | 'undelivered'
}

/** Sessions were ended from outside. */
export interface RevokedMessage {
  userId: string
  /**
   * `one`, `others` and `all` by `sessions.of(user)`; `quota` by a login above `maxPerUser`; `reuse`: a replaced token
   * came back, and `onTokenReuse` is `revoke`.
   */
  by: 'one' | 'others' | 'all' | 'quota' | 'reuse'
  /** How many. */
  count: number
}

/**
 * Why a presented token opened nothing.
 *
 * - `malformed`: not the shape of a token; the store was not asked
 * - `forged`: of the right shape and made up, by its mark; the store was not asked
 * - `unknown`: no such session, or no more
 * - `ended`: a request ended it less than a minute ago
 * - `secret`: the session exists, the token's secret is wrong
 * - `renewed`: the token was replaced, and its successor was used: a copy may be in other hands
 * - `idle`, `absolute`: the session is past its time
 * - `revoked`: ended from outside
 */
export type RefusalReason =
  | 'malformed'
  | 'forged'
  | 'unknown'
  | 'ended'
  | 'secret'
  | 'renewed'
  | 'idle'
  | 'absolute'
  | 'revoked'

/** A presented token opened nothing; the request goes on as anonymous. */
export interface RefusedMessage {
  reason: RefusalReason
  /** Public id, if the token has the right shape. */
  id: string | undefined
}

/** Stored data could not be used, and was left out. */
export interface UnreadableMessage extends SessionMessage {
  /** `encryption`: no key of the ring opens it; `json`: damaged; `schema`: it does not fit the schema any more. */
  reason: 'encryption' | 'json' | 'schema'
  /** Names of top-level keys. */
  keys: readonly string[]
}

/** Two requests changed the same keys. */
export interface ConflictMessage extends SessionMessage {
  /** What became of this request's change. */
  outcome: 'merged' | 'failed' | 'overwrote'
  /** Names of top-level keys. */
  keys: readonly string[]
}

/** An operation of a session failed, and no answer could say so. */
export interface FailureMessage {
  operation: 'load' | 'save' | 'touch' | 'renew'
  error: unknown
}

/** The tokens of a request were looked at; those that have none are not told of. */
export interface OpenedMessage {
  /** `opened`: one of them opened a session; `refused`: none did; `failed`: the store gave no answer. */
  outcome: 'opened' | 'refused' | 'failed'
  /** From the question to the answer, ms; in `compose` others are asked meanwhile. */
  durationMs: number
}

/** `scale:session:created` */
export const createdChannel: Channel<CreatedMessage> = channel('scale:session:created')
/** `scale:session:renewed` */
export const renewedChannel: Channel<RenewedMessage> = channel('scale:session:renewed')
/** `scale:session:destroyed` */
export const destroyedChannel: Channel<DestroyedMessage> = channel('scale:session:destroyed')
/** `scale:session:revoked` */
export const revokedChannel: Channel<RevokedMessage> = channel('scale:session:revoked')
/** `scale:session:refused` */
export const refusedChannel: Channel<RefusedMessage> = channel('scale:session:refused')
/** `scale:session:unreadable` */
export const unreadableChannel: Channel<UnreadableMessage> = channel('scale:session:unreadable')
/** `scale:session:conflict` */
export const conflictChannel: Channel<ConflictMessage> = channel('scale:session:conflict')
/** `scale:session:opened`: one message per request with a token. */
export const openedChannel: Channel<OpenedMessage> = channel('scale:session:opened')
/** `scale:session:failure` */
export const failureChannel: Channel<FailureMessage> = channel('scale:session:failure')
