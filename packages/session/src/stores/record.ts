import type { RefusalReason } from '../channels.js'
import { sameDigest } from './token.js'

/** One top-level key of a session's data, as stored. */
export interface StoredValue {
  /** The session's revision in which it was written. */
  readonly revision: number
  /** JSON, or sealed JSON. */
  readonly text: string
}

/** A token that was replaced. */
export interface PreviousToken {
  readonly digest: string
  /** The old token opens the session before this instant: the session's end, until its successor was used. */
  readonly endsAt: number
  /** With the old token it makes the new one. */
  readonly nonce: string
  /** Whether its successor was used. From then on the old token is given no successor. */
  readonly isConfirmed: boolean
}

/** What a store keeps of one session. All instants are of the store's clock. */
export interface SessionRecord {
  /** SHA-256 of the token. */
  readonly digest: string
  readonly previous: PreviousToken | undefined
  readonly createdAt: number
  readonly lastSeenAt: number
  /** When the token was made, or first used if it replaced another. */
  readonly issuedAt: number
  readonly idleTimeoutMs: number
  /** The absolute end. */
  readonly expiresAt: number
  readonly userId: string | undefined
  /** Of the login, or the last `elevate()`. */
  readonly authenticatedAt: number | undefined
  /** Whether its cookie outlives the browser; `undefined`: as the transport says. */
  readonly persistent: boolean | undefined
  /** Counts the writes. */
  readonly revision: number
  readonly data: ReadonlyMap<string, StoredValue>
}

/** A session as read, with the store's time at the read. */
export interface LoadedSession {
  readonly record: SessionRecord
  readonly nowMs: number
  /** Whether its user's index has it; of no meaning for an anonymous session. */
  readonly listed: boolean
}

/**
 * Whether a token opens a session.
 *
 * @param openedWhen  see `Writer`
 */
export function refusalOf(
  { record, nowMs, listed }: LoadedSession,
  digest: string,
  openedWhen?: number,
): RefusalReason | undefined {
  const secret = secretRefusal(record, nowMs, digest)
  if (secret !== undefined && openedWhen !== (record.authenticatedAt ?? 0)) return secret
  if (record.userId !== undefined && !listed) return 'revoked'
  if (nowMs >= record.expiresAt) return 'absolute'
  return nowMs >= record.lastSeenAt + record.idleTimeoutMs ? 'idle' : undefined
}

function secretRefusal(
  record: SessionRecord,
  nowMs: number,
  digest: string,
): 'secret' | 'renewed' | undefined {
  if (sameDigest(record.digest, digest)) return undefined
  if (record.previous === undefined || !sameDigest(record.previous.digest, digest)) return 'secret'
  return nowMs < record.previous.endsAt ? undefined : 'renewed'
}

/** When a session was elevated: later than the time before, by whatever clock, so that it tells before from after. */
export function elevatedAt(
  { authenticatedAt = 0 }: Pick<SessionRecord, 'authenticatedAt'>,
  nowMs: number,
): number {
  return Math.max(nowMs, authenticatedAt + 1)
}

/** When a session ends if nobody uses it again: the nearer of the two clocks. */
export function endsAt(record: Pick<SessionRecord, 'lastSeenAt' | 'idleTimeoutMs' | 'expiresAt'>): number {
  return Math.min(record.lastSeenAt + record.idleTimeoutMs, record.expiresAt)
}
