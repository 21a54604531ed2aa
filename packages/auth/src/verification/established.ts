import type { TokenRefusal } from '../errors.js'
import type { AccessTokenClaims } from './claims.js'

/** A token of which everything is good that no time and no list can change. */
export interface Established {
  readonly issuer: { readonly issuer: string }
  /** Frozen, to the last member: requests share them. */
  readonly claims: AccessTokenClaims
}

/** A refusal that is not yet an error: those are made where the request is answered. */
export class Refusal {
  readonly reason: TokenRefusal
  readonly issuer: string | undefined
  readonly cause: unknown

  constructor(reason: TokenRefusal, issuer?: string, cause?: unknown) {
    this.reason = reason
    this.issuer = issuer
    this.cause = cause
  }
}

/** Establishes tokens: everything about them that no time and no list can change. */
export interface Establishing {
  /** @returns no promise if the token is known */
  establish(token: string): Established | Refusal | Promise<Established | Refusal>
}

/** Without recursion: a token of 8 KiB can be nested some thousand times. */
export function deeplyFrozen<Value extends object>(value: Value): Value {
  const left: object[] = [value]
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    Object.freeze(one)
    for (const member of Object.values(one))
      if (typeof member === 'object' && member !== null) left.push(member)
  }
  return value
}
