import type { Opening } from './opening.js'
import type { SessionConfig } from './options.js'
import type { SessionRef } from './token.js'

/** A stored session that this request has a valid token for. */
export interface HeldSession {
  readonly ref: SessionRef
  readonly token: string
  readonly digest: string
  readonly userId: string | undefined
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly authenticatedAt: number | undefined
  readonly expiresAt: number
  readonly idleTimeoutMs: number
  /** Whether the use of the session has to be written down. */
  readonly touchIsDue: boolean
}

export function heldSession(
  { touchAfterRatio }: SessionConfig,
  { presented, ref, digest, loaded }: Extract<Opening, { kind: 'opened' }>,
): HeldSession {
  const { record, nowMs } = loaded
  return {
    ref,
    token: presented.token,
    digest,
    userId: record.userId,
    createdAt: record.createdAt,
    lastSeenAt: record.lastSeenAt,
    authenticatedAt: record.authenticatedAt,
    expiresAt: record.expiresAt,
    idleTimeoutMs: record.idleTimeoutMs,
    touchIsDue: nowMs - record.lastSeenAt >= record.idleTimeoutMs * touchAfterRatio,
  }
}
