import { hash } from 'node:crypto'
import type { SessionRef } from '../stores/token.js'

/** Ids of express-session say nothing of a user: all sessions belong to one, in 256 parts, each in a slot of its own. */
export const USER = 'express-session'

/** The tags of the parts: 20 characters each. */
export const SHARDS: readonly string[] = Array.from({ length: 256 }, (_, part) =>
  hash('sha256', `express-session ${part}`, 'base64url').slice(0, 20),
)

/** Where the session of an id of express-session is stored, and what proves the id. */
export function placeOf(sid: string): { ref: SessionRef; digest: string } {
  const digest = hash('sha256', sid, 'base64url')
  const place = hash('sha256', `place ${sid}`, 'hex')
  return {
    ref: {
      tag: SHARDS[Number.parseInt(place.slice(0, 2), 16)]!,
      id: Buffer.from(place.slice(2, 26), 'hex').toString('base64url'),
    },
    digest,
  }
}
