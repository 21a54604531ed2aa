import type { Writer } from '../store.js'
import type { SessionRef } from '../stores/token.js'
import type { Opened } from './opening.js'

/** A session that this request has a valid token for. */
export interface Held extends Writer {
  readonly ref: SessionRef
  readonly token: string
  readonly userId: string | undefined
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly authenticatedAt: number | undefined
  readonly expiresAt: number
  readonly idleTimeoutMs: number
  readonly persistent: boolean | undefined
}

/** What a request holds of a session that a token has opened. */
export function heldOf({
  token,
  ref,
  digest,
  loaded,
}: Pick<Opened, 'token' | 'ref' | 'digest' | 'loaded'>): Held {
  const { userId, createdAt, lastSeenAt, authenticatedAt, expiresAt, idleTimeoutMs, persistent } =
    loaded.record
  return {
    ref,
    token,
    digest,
    openedWhen: authenticatedAt ?? 0,
    userId,
    createdAt,
    lastSeenAt,
    authenticatedAt,
    expiresAt,
    idleTimeoutMs,
    persistent,
  }
}
