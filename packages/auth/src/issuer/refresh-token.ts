import { createHmac, hash, randomBytes } from 'node:crypto'

// A refresh token is three parts without separators, all base64url:
//
//   tag (20)     which keys share a Cluster slot: a hash of the user id, so that all of a user's families do
//   name (16)    96 random bits that name the family; they are only ever in its tokens
//   secret (43)  256 bits, replaced at every refresh; the store has only the SHA-256 of the whole token
//
// The store, lists and the claim `sid` know a family by a hash of its name. So whoever presents the name has held a
// token of that family: one that is not current any more was used again, and is not just any guess.

/** Where a family is stored. */
export interface FamilyRef {
  /** 20 characters of base64url. Everything under one tag is in one Cluster slot. */
  readonly tag: string
  /** 16 characters of base64url. Public. */
  readonly id: string
}

const TAG_END = 20
const NAME_END = 36
const SHAPE = /^[\w-]{79}$/

/** Whether a text can be a refresh token at all. Decided before any store is asked. */
export function isRefreshToken(text: unknown): text is string {
  return typeof text === 'string' && text.length === 79 && SHAPE.test(text)
}

/** Whether a text can be a family's public id. */
export function isFamilyId(text: unknown): text is string {
  return typeof text === 'string' && /^[\w-]{16}$/.test(text)
}

/** @param token  checked by `isRefreshToken` */
export function refOf(token: string): FamilyRef {
  return {
    tag: token.slice(0, TAG_END),
    id: hash('sha256', `family:${token.slice(TAG_END, NAME_END)}`, 'base64url').slice(0, 16),
  }
}

/** The tag of all of a user's families: 120 bits of a hash of the id, which is of any length. */
export function userTag(userId: string): string {
  return hash('sha256', `user:${userId}`, 'base64url').slice(0, TAG_END)
}

/** The first token of a new family. */
export function newRefreshToken(userId: string): string {
  return userTag(userId) + randomBytes(12).toString('base64url') + randomBytes(32).toString('base64url')
}

/** 256 random bits that make the successor of a token, kept in the store for the grace. */
export function newNonce(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * The token that replaces another. Whoever presents the old one within the grace is given the same successor. The
 * store alone cannot make it: it lacks the old token; nor can the old token without the nonce.
 */
export function successorOf(token: string, nonce: string): string {
  return token.slice(0, NAME_END) + createHmac('sha256', nonce).update(token).digest('base64url')
}

/** What the store keeps of a token: SHA-256 in base64url. */
export function digestOf(token: string): string {
  return hash('sha256', token, 'base64url')
}
