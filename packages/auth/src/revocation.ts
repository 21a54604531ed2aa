import { hash } from 'node:crypto'
import { revocationFailureChannel, revokedChannel } from './channels.js'
import type { AccessTokenClaims } from './claims.js'
import { type RevocationOptions, resolveRevocationOptions } from './revocation-options.js'

/** Which user of which issuer. */
export type UserClaims = Pick<AccessTokenClaims, 'iss' | 'sub'>

/** Takes access tokens back before their end. Pass it to `accessToken`, and to `tokenIssuer`. */
export interface Revocation {
  /** The longest life of a token, in ms. */
  readonly maxTokenLifeMs: number
  /**
   * Revokes one token.
   *
   * @param claims  of that token, such as `req.auth.claims`
   * @throws the store's error: then nothing is revoked for sure
   */
  revokeToken(claims: UserClaims & Pick<AccessTokenClaims, 'jti' | 'exp'>): Promise<void>
  /** Revokes all tokens with one `sid`: of one sign-in, on one device. @throws the store's error */
  revokeFamily(claims: UserClaims & { readonly sid: string }): Promise<void>
  /**
   * Revokes all tokens of a user that were made up to now. Tokens tell the time in whole seconds, so one that is made
   * later in the same second is refused too.
   *
   * @throws the store's error
   */
  revokeUser(user: UserClaims): Promise<void>
  /**
   * Whether a token was revoked: one command. Called by `accessToken`.
   *
   * @returns no promise if the answer is at hand
   * @throws the store's error, with `onStoreError: 'reject'`
   */
  check(claims: AccessTokenClaims): boolean | Promise<boolean>
}

/** No validator may forgive more than this, so marks are kept longer by as much. */
const MAX_CLOCK_TOLERANCE_MS = 300_000

const EPOCH = 'epoch'
const tokenMark = (jti: string): string => `jti:${jti}`
const familyMark = (sid: string): string => `sid:${sid}`

/**
 * Revocation of access tokens: single ones, all of one sign-in, or all of a user, on every process at once.
 *
 * @throws {InvalidOption} an option is wrong
 * @throws {MemoryStoreRefused} there is no `redis`, and more than one process is likely
 */
export function revocation(options?: RevocationOptions): Revocation {
  const { store, maxTokenLifeMs, onStoreError, clock } = resolveRevocationOptions(options)
  const keptMs = maxTokenLifeMs + MAX_CLOCK_TOLERANCE_MS

  async function mark(
    what: 'token' | 'family' | 'user',
    user: UserClaims,
    name: string,
    ttlMs: number,
  ): Promise<void> {
    await store.set(tagOf(user), name, String(clock()), ttlMs)
    if (revokedChannel.hasSubscribers) revokedChannel.publish({ what, userId: user.sub })
  }

  function failed(error: unknown): boolean {
    if (revocationFailureChannel.hasSubscribers) {
      revocationFailureChannel.publish({ decision: onStoreError, error })
    }
    if (onStoreError === 'reject') throw error
    return false
  }

  return {
    maxTokenLifeMs,
    revokeToken: (claims) => {
      const leftMs = claims.exp * 1_000 - clock() + MAX_CLOCK_TOLERANCE_MS
      return mark('token', claims, tokenMark(claims.jti), Math.max(1, Math.min(leftMs, keptMs)))
    },
    revokeFamily: (claims) => mark('family', claims, familyMark(claims.sid), keptMs),
    revokeUser: (user) => mark('user', user, EPOCH, keptMs),
    check: (claims) => {
      const { jti, sid, iat } = claims
      const names = [EPOCH, ...(jti === undefined ? [] : [tokenMark(jti)])]
      if (sid !== undefined) names.push(familyMark(sid))
      const judge = ([epoch, ...others]: readonly (string | undefined)[]): boolean =>
        others.some((value) => value !== undefined) ||
        (epoch !== undefined && Math.floor(iat) <= Math.floor(Number(epoch) / 1_000))
      try {
        const marks = store.get(tagOf(claims), names)
        return marks instanceof Promise ? marks.then(judge, failed) : judge(marks)
      } catch (error) {
        return failed(error)
      }
    },
  }
}

/** A user's tag: 120 bits of a hash, because a subject is of any length and only unique within its issuer. */
function tagOf({ iss, sub }: UserClaims): string {
  return hash('sha256', JSON.stringify([iss, sub]), 'base64url').slice(0, 20)
}
