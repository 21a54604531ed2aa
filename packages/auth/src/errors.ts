import { ScaleError } from '@scale/core'
import type { ProofRefusal } from './http/dpop/proof.js'

/**
 * Why a token was refused.
 *
 * - `malformed`: not a canonical compact JWS, or its JSON is none
 * - `header`: it names a key of its own (`jwk`, `jku`, `x5u`, `x5c`) or asks for an extension (`crit`)
 * - `type`: not an access token by its `typ`
 * - `algorithm`: not one of those that are trusted
 * - `client`: it was given to another client than those that are trusted
 * - `issuer`, `audience`, `expired`, `early`: by `iss`, `aud`, `exp`, `nbf` or `iat`
 * - `key`: no key of its issuer fits it
 * - `signature`: it was not signed by that key
 * - `claims`: a claim is missing, of a wrong type, or does not fit the schema
 * - `revoked`: taken back before its end
 * - `inactive`: its provider, which was asked, does not know it or has taken it back
 * - `too-large`: longer than `maxTokenBytes`
 * - `binding`: it is bound to a key and came without a proof, or it should be and is not
 */
export type TokenRefusal =
  | 'malformed'
  | 'header'
  | 'type'
  | 'algorithm'
  | 'issuer'
  | 'audience'
  | 'client'
  | 'expired'
  | 'early'
  | 'key'
  | 'signature'
  | 'claims'
  | 'revoked'
  | 'inactive'
  | 'too-large'
  | 'binding'

const WORDS: Record<TokenRefusal, string> = {
  malformed: 'The access token is malformed',
  header: 'The access token has a header that is not accepted',
  type: 'The token is not an access token',
  algorithm: 'The access token is signed with an algorithm that is not accepted',
  issuer: 'The access token is from another issuer',
  audience: 'The access token is for another audience',
  client: 'The access token was given to another client',
  expired: 'The access token expired',
  early: 'The access token is not valid yet',
  key: 'The access token is signed with an unknown key',
  signature: 'The signature of the access token is wrong',
  claims: 'A claim of the access token is missing or wrong',
  revoked: 'The access token was revoked',
  inactive: 'The access token is not active',
  'too-large': 'The access token is too large',
  binding: 'The access token must be bound to a key, and come with a proof of it',
}

/** The sentence for clients, which says nothing of the token itself. */
export function wordsOf(reason: TokenRefusal): string {
  return WORDS[reason]
}

/** A token was presented and is not accepted (RFC 6750 `invalid_token`). */
export class InvalidToken extends ScaleError {
  /** For logs; the client sees a sentence for it. */
  readonly reason: TokenRefusal

  /** @param challenge  value of `WWW-Authenticate` */
  constructor(reason: TokenRefusal, challenge: string, cause?: unknown) {
    super(`${WORDS[reason]}.`, {
      code: 'ERR_SCALE_TOKEN_INVALID',
      status: 401,
      headers: { 'WWW-Authenticate': challenge },
      cause,
    })
    this.reason = reason
  }
}

const PROOF_WORDS: Record<ProofRefusal, string> = {
  'proof-missing': 'There must be one DPoP header',
  'proof-malformed': 'The DPoP proof is malformed',
  'proof-header': 'The DPoP proof has a header that is not accepted',
  'proof-algorithm': 'The DPoP proof is signed with an algorithm that is not accepted',
  'proof-key': 'The key of the DPoP proof is not accepted',
  'proof-signature': 'The signature of the DPoP proof is wrong',
  'proof-claims': 'A claim of the DPoP proof is missing or wrong',
  'proof-method': 'The DPoP proof is for another method',
  'proof-url': 'The DPoP proof is for another address',
  'proof-age': 'The DPoP proof is too old, or from the future',
  'proof-token': 'The DPoP proof is for another access token',
  'proof-nonce': 'The DPoP proof needs a nonce of this server',
  'proof-replay': 'The DPoP proof was used before',
}

/** The sentence for clients. */
export function wordsOfProof(reason: ProofRefusal): string {
  return PROOF_WORDS[reason]
}

/** The word for clients. @param nonce  for the next proof: then the client is only asked to use it */
export function errorOfProof(nonce: string | undefined): 'invalid_dpop_proof' | 'use_dpop_nonce' {
  return nonce === undefined ? 'invalid_dpop_proof' : 'use_dpop_nonce'
}

/**
 * The token is good, and the proof that came with it is not (RFC 9449 `invalid_dpop_proof`), or lacks a nonce of this
 * server (`use_dpop_nonce`), which the answer then has in `DPoP-Nonce`.
 */
export class InvalidProof extends ScaleError {
  /** For logs; the client sees a sentence for it. */
  readonly reason: ProofRefusal

  /**
   * @param challenge  value of `WWW-Authenticate`; `undefined`: it was a request for tokens, which is answered 400 (RFC 9449 §5, §8)
   * @param nonce      for the client's next proof
   */
  constructor(reason: ProofRefusal, challenge: string | undefined, nonce: string | undefined) {
    super(`${PROOF_WORDS[reason]}.`, {
      code: 'ERR_SCALE_DPOP_PROOF',
      status: challenge === undefined ? 400 : 401,
      ...(challenge === undefined ? { extensions: { error: errorOfProof(nonce) } } : {}),
      headers: {
        ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
        // RFC 9449 §8.2: a nonce that a cache keeps is an old one.
        ...(nonce === undefined ? {} : { 'DPoP-Nonce': nonce, 'Cache-Control': 'no-store' }),
      },
    })
    this.reason = reason
  }
}

/** No token was presented where one is needed. The challenge has no error code (RFC 6750 §3.1). */
export class TokenRequired extends ScaleError {
  constructor(challenge: string) {
    super('This needs an access token.', {
      code: 'ERR_SCALE_TOKEN_REQUIRED',
      status: 401,
      headers: { 'WWW-Authenticate': challenge },
    })
  }
}

/** The `Authorization` header cannot be read, or there are two (RFC 6750 `invalid_request`). */
export class InvalidAuthorization extends ScaleError {
  constructor(challenge: string) {
    super('The Authorization header must be a scheme and one token.', {
      code: 'ERR_SCALE_TOKEN_REQUEST',
      status: 400,
      headers: { 'WWW-Authenticate': challenge },
    })
  }
}

/** The token is good and does not allow this (RFC 6750 `insufficient_scope`). */
export class InsufficientScope extends ScaleError {
  constructor(challenge: string) {
    super('The access token does not allow this.', {
      code: 'ERR_SCALE_TOKEN_SCOPE',
      status: 403,
      headers: { 'WWW-Authenticate': challenge },
    })
  }
}

/** The user must authenticate again, or more strongly (RFC 9470). */
export class InsufficientAuthentication extends ScaleError {
  constructor(challenge: string) {
    super('This needs a more recent or a stronger authentication.', {
      code: 'ERR_SCALE_TOKEN_STEP_UP',
      status: 401,
      headers: { 'WWW-Authenticate': challenge },
    })
  }
}

/** The keys of an issuer could not be had, and none that is known fits. It says nothing of the token. */
export class KeysUnavailable extends ScaleError {
  /** @param retryAfterMs  when the provider is asked again, in ms */
  constructor(retryAfterMs: number, cause?: unknown) {
    super('The keys that verify access tokens are not available.', {
      code: 'ERR_SCALE_KEYS_UNAVAILABLE',
      status: 503,
      headers: { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) },
      cause,
    })
  }
}

/** A provider answered, and its key set cannot be used. The `cause` of a {@link KeysUnavailable}. */
export class UnusableKeySet extends ScaleError {
  /** The status that it answered with, if that was the problem. */
  readonly answered: number | undefined

  constructor(problem: string, { answered }: { answered?: number | undefined } = {}) {
    super(`The key set cannot be used: ${problem}.`, { code: 'ERR_SCALE_KEY_SET', status: 503 })
    this.answered = answered
  }
}

/** The provider could not be asked whether a token is active. It says nothing of the token. */
export class IntrospectionUnavailable extends ScaleError {
  /** @param retryAfterMs  when the provider is asked again, in ms */
  constructor(retryAfterMs: number, cause: unknown) {
    super('The provider of access tokens cannot be asked about them.', {
      code: 'ERR_SCALE_INTROSPECTION_UNAVAILABLE',
      status: 503,
      headers: { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) },
      cause,
    })
  }
}

/** A provider answered a question about a token with something else. The `cause` of an {@link IntrospectionUnavailable}. */
export class UnusableAnswer extends ScaleError {
  /** The status that it answered with, if that was the problem: 401 means that it does not know this API. */
  readonly answered: number | undefined

  constructor(problem: string, { answered }: { answered?: number | undefined } = {}) {
    super(`The answer about a token cannot be used: ${problem}.`, {
      code: 'ERR_SCALE_INTROSPECTION_ANSWER',
      status: 503,
    })
    this.answered = answered
  }
}

/**
 * A refresh token that opens nothing: unknown, expired, revoked, or used again after its grace (RFC 6749
 * `invalid_grant`). One answer for all of them; which it was is on the channels.
 */
export class InvalidGrant extends ScaleError {
  constructor() {
    super('The refresh token is not valid; sign in again.', {
      code: 'ERR_SCALE_TOKEN_GRANT',
      status: 400,
      extensions: { error: 'invalid_grant' },
    })
  }
}

/** More unknown tokens wait to be verified than a process can do in a moment. */
export class VerificationBusy extends ScaleError {
  constructor() {
    super('Too many new access tokens at once. Try again in a second.', {
      code: 'ERR_SCALE_TOKEN_BUSY',
      status: 503,
      headers: { 'Retry-After': '1' },
    })
  }
}

/** More passwords are waiting to be hashed than `maxWaiting`. */
export class PasswordsBusy extends ScaleError {
  constructor() {
    super('Too many sign-ins at once. Try again in a second.', {
      code: 'ERR_SCALE_PASSWORDS_BUSY',
      status: 503,
      headers: { 'Retry-After': '1' },
    })
  }
}

/** A call that cannot be served: a wrong argument, or middleware that is missing. A fault of the program. */
export class AuthMisuse extends ScaleError {
  constructor(message: string) {
    super(message, { code: 'ERR_SCALE_AUTH_MISUSE' })
  }
}
