import { hash } from 'node:crypto'
import { revocationFailureChannel, revokedChannel } from '../channels.js'
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
   * Revokes all tokens of a user that were made up to now. Tokens tell the time in whole seconds, by the clock of whoever made
   * them: so those that are made in the same second, or within `clockToleranceMs`, are refused too. A second revocation never
   * gives back what an earlier one took.
   *
   * @param options.at  up to when, in epoch ms by the clock of whoever made the tokens. Default: now by the store's clock, and
   * `clockToleranceMs` more
   * @throws the store's error: then ask again
   */
  revokeUser(user: UserClaims, options?: { at?: number }): Promise<void>
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
  const { store, maxTokenLifeMs, clockToleranceMs, onStoreError } = resolveRevocationOptions(options)
  const keptMs = maxTokenLifeMs + MAX_CLOCK_TOLERANCE_MS + clockToleranceMs

  async function mark(
    what: 'token' | 'family' | 'user',
    user: UserClaims,
    name: string,
    { at, until }: { at?: number | undefined; until?: number } = {},
  ): Promise<void> {
    await store.raise(tagOf(user), name, { at, until, aheadMs: clockToleranceMs, keptMs })
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
    revokeToken: (claims) =>
      mark('token', claims, tokenMark(claims.jti), { until: claims.exp * 1_000 + MAX_CLOCK_TOLERANCE_MS }),
    revokeFamily: (claims) => mark('family', claims, familyMark(claims.sid)),
    revokeUser: (user, { at } = {}) => mark('user', user, EPOCH, { at }),
    check: (claims) => {
      const { jti, sid, iat } = claims
      const names = [EPOCH, ...(jti === undefined ? [] : [tokenMark(jti)])]
      if (sid !== undefined) names.push(familyMark(sid))
      const judge = ([epoch, ...others]: readonly (number | undefined)[]): boolean =>
        others.some((value) => value !== undefined) ||
        (epoch !== undefined && Math.floor(iat) <= Math.floor(epoch / 1_000))
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
