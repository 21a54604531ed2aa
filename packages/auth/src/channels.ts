import { type Channel, channel } from '@scale/core'
import type { TokenRefusal } from './errors.js'
import type { ProofRefusal } from './http/dpop/proof.js'

/** A token was presented and refused, or the proof that came with it. */
export interface RefusedMessage {
  reason: TokenRefusal | ProofRefusal
  /** The trusted issuer, once the token is known to name it. */
  issuer: string | undefined
}

/** Tokens that were refused. */
export const refusedChannel: Channel<RefusedMessage> = channel('scale:auth:refused')

/** A provider was asked for its keys. */
export interface KeySetMessage {
  /** Origin and path of the key set. */
  url: string
  outcome: 'loaded' | 'failed'
  /** Usable keys that came; 0 if it failed. */
  keys: number
  durationMs: number
  /** What failed. */
  error: unknown
}

/** Every answer of a provider, and every failure to get one. */
export const keySetChannel: Channel<KeySetMessage> = channel('scale:auth:key-set')

/** A provider was asked about a token. */
export interface IntrospectionMessage {
  /** Origin and path of the endpoint. */
  url: string
  outcome: 'active' | 'inactive' | 'failed'
  durationMs: number
  /** What failed. */
  error: unknown
}

/** Every answer of a provider about a token, and every failure to get one. */
export const introspectionChannel: Channel<IntrospectionMessage> = channel('scale:auth:introspection')

/** A family of refresh tokens. Never a token. */
export interface FamilyMessage {
  /** Public id, as in the list of a user's families and in the claim `sid`. */
  id: string
  userId: string
}

/** A sign-in that was given tokens. */
export const issuedChannel: Channel<FamilyMessage> = channel('scale:auth:issued')

/** A refresh token was exchanged. */
export interface RefreshedMessage extends FamilyMessage {
  /** True if another request had been first, and both were given the same successor. */
  repeated: boolean
}

/** Refresh tokens that were exchanged. */
export const refreshedChannel: Channel<RefreshedMessage> = channel('scale:auth:refreshed')

/** Refresh tokens that were used again after their grace; the family is dead. One of the two users is a thief. */
export const reuseChannel: Channel<FamilyMessage> = channel('scale:auth:reuse')

/** Something was taken back. */
export interface RevokedMessage {
  what: 'token' | 'family' | 'user'
  userId: string
}

/** Tokens, families and users whose tokens were revoked. */
export const revokedChannel: Channel<RevokedMessage> = channel('scale:auth:revoked')

/** The store of revocations gave no answer. */
export interface RevocationFailureMessage {
  /** What became of the request, by `onStoreError`. */
  decision: 'reject' | 'accept'
  error: unknown
}

/** Checks for revocation that could not be made. */
export const revocationFailureChannel: Channel<RevocationFailureMessage> = channel(
  'scale:auth:revocation-failure',
)

/** The store of used proofs gave no answer. */
export interface ReplayFailureMessage {
  /** What became of the request, by `onStoreError`. */
  decision: 'reject' | 'accept'
  error: unknown
}

/** Proofs of which it is not known whether they were used before. */
export const replayFailureChannel: Channel<ReplayFailureMessage> = channel('scale:auth:replay-failure')
