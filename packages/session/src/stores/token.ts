import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'

// A token is three parts without separators, all base64url:
//
//   tag (20)   which keys share a Cluster slot: of a user's sessions a hash of the user id, else random
//   id (16)    which session: public, the same for the session's whole life; 9 random characters, and 7 that are made
//              of these, the tag and a key that only the servers have: a made-up place is known before Redis is asked
//   secret (43)  256 random bits, replaced at every renewal; the store has only the SHA-256 of the whole token
//
// The tag is why a session, the index of its user, and the check that it is still in there are one script, one slot
// and one round trip. It tells the holder of the token nothing but a hash of their own user id.

/** Where a session is stored. */
export interface SessionRef {
  /** 20 characters of base64url. Everything under one tag is in one Cluster slot. */
  readonly tag: string
  /** 16 characters of base64url. Public. */
  readonly id: string
}

const TAG_BYTES = 15
/** Random characters of an id: 54 bits. */
const ID_RANDOM = 9
const SECRET_BYTES = 32
const TAG_END = 20
const ID_END = 36

/** Length of a token in characters. */
export const TOKEN_LENGTH = 79

const SHAPE = /^[A-Za-z0-9_-]{79}$/

/** Whether a text can be a token at all. Decided before any store is asked. */
export function isToken(text: string): boolean {
  return text.length === TOKEN_LENGTH && SHAPE.test(text)
}

/** Whether a text can be a session's public id. */
export function isSessionId(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9_-]{16}$/.test(text)
}

/** @param token  checked by `isToken` */
export function refOf(token: string): SessionRef {
  return { tag: token.slice(0, TAG_END), id: token.slice(TAG_END, ID_END) }
}

/**
 * A new place for a session: with its user's others, or anywhere for an anonymous one.
 *
 * @param key  marks the place; without one it is not marked
 */
export function newRef(userId: string | undefined, key?: string): SessionRef {
  const tag = userId === undefined ? randomBytes(TAG_BYTES).toString('base64url') : userTag(userId)
  return markedRef(tag, randomBytes(12).toString('base64url'), key)
}

/** A place whose id begins with 9 given characters; without a key, 16 of them. */
export function markedRef(tag: string, id: string, key: string | undefined): SessionRef {
  if (key === undefined) return { tag, id: id.slice(0, ID_END - TAG_END) }
  const begin = id.slice(0, ID_RANDOM)
  return { tag, id: begin + markOf(key, tag + begin) }
}

/** Whether a place was marked by the key. A filter, not a proof: who has passed it still has to know the secret. */
export function isMarked({ tag, id }: SessionRef, key: string): boolean {
  return id.slice(ID_RANDOM) === markOf(key, tag + id.slice(0, ID_RANDOM))
}

/** 42 bits. Key and text have fixed lengths and most of the hash is cut off, so that a plain hash is as good as HMAC. */
function markOf(key: string, place: string): string {
  return hash('sha256', key + place, 'base64url').slice(0, ID_END - TAG_END - ID_RANDOM)
}

/** A key for the marks: 256 random bits. */
export function newMarkKey(): string {
  return randomBytes(32).toString('base64url')
}

/** The tag of all of a user's sessions: 120 bits of the SHA-256 of the id, which is of any length. */
export function userTag(userId: string): string {
  return hash('sha256', `user:${userId}`, 'base64url').slice(0, TAG_END)
}

/** A token with a new random secret. */
export function newToken({ tag, id }: SessionRef): string {
  return tag + id + randomBytes(SECRET_BYTES).toString('base64url')
}

/** 256 random bits that make the successor of a token, kept in the store until the successor is used. */
export function newNonce(): string {
  return randomBytes(SECRET_BYTES).toString('base64url')
}

/**
 * The token that replaces another. Whoever presents the old one before the successor was used is given the same
 * successor, so a lost response costs nothing. The store alone cannot make it: it lacks the old token; nor can the old token without
 * the nonce.
 */
export function successorOf(token: string, nonce: string): string {
  return token.slice(0, ID_END) + createHmac('sha256', nonce).update(token).digest('base64url')
}

/** What the store keeps of a token: SHA-256 in base64url. */
export function digestOf(token: string): string {
  return hash('sha256', token, 'base64url')
}

/** Compares two digests in a time that does not depend on where they differ. */
export function sameDigest(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'))
}
