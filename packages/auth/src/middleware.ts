import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Next, prefetch } from '@scale/core'
import { type Credentials, credentialsOf } from './authorization.js'
import { bearerChallenge, type ChallengeParameters } from './challenge.js'
import type { AccessTokenClaims } from './claims.js'
import { AuthMisuse, InvalidAuthorization, TokenRequired } from './errors.js'
import { type AccessTokenConfig, type AccessTokenOptions, resolveAccessTokenOptions } from './options.js'
import { type Auth, readToken, startRevocationCheck, verify } from './verifier.js'

/** The middleware, and what can be done with tokens outside a request. */
export interface AccessTokens<Claims extends object = AccessTokenClaims> {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /** Starts to verify the token of a request. Called by `compose`. */
  [prefetch](req: IncomingMessage): void
  /** `req.auth`, typed by the schema. @throws {TokenRequired} this request has no token */
  get(req: IncomingMessage): Auth<Claims>
  /**
   * Verifies a token that came another way than in a header, such as in the first message of a WebSocket.
   *
   * @throws {InvalidToken} @throws {KeysUnavailable} @throws the error of the revocation's store
   */
  verify(token: string): Promise<Auth<Claims>>
}

/**
 * A resource server: lets requests pass that carry a good access token, and puts what it says into `req.auth`.
 *
 * The token is taken from `Authorization: Bearer` and nowhere else. Every refusal has a challenge (RFC 6750); keys or
 * revocations that cannot be had are a 503.
 *
 * @throws {InvalidOption} an option is wrong or missing
 * @see RFC 9068 §4 · RFC 6750 · RFC 9728 §5.1 · docs/concepts/tokens.md
 */
export function accessToken<Claims extends object = AccessTokenClaims>(
  options: AccessTokenOptions<Claims>,
): AccessTokens<Claims> {
  const config = resolveAccessTokenOptions(options)
  /** Where `prefetch` leaves on the request what it began. */
  const begun = Symbol('access token begun')
  const notesOf = (req: IncomingMessage): Record<symbol, Promise<Auth<object>> | undefined> =>
    req as unknown as Record<symbol, Promise<Auth<object>> | undefined>

  function accessToken(req: IncomingMessage, _res: ServerResponse, next: Next): void {
    const verifying = notesOf(req)[begun]
    const credentials = verifying === undefined ? credentialsOf(req) : undefined
    noted(req, config.challenge)
    if (credentials === 'none' || credentials === 'malformed') {
      next(refusalOf(config, credentials))
      return
    }
    const auth = verifying ?? verify(config, readToken(config, credentials!.token))
    auth.then((good) => {
      ;(req as RequestWithAuth).auth = good
      next()
    }, next)
  }

  return Object.assign(accessToken, {
    [prefetch]: (req: IncomingMessage) => {
      const credentials = credentialsOf(req)
      if (typeof credentials === 'string' || notesOf(req)[begun] !== undefined) return
      const readable = readToken(config, credentials.token)
      const auth = verify(config, readable, startRevocationCheck(config, readable))
      // It belongs to the later call, which may never come: then nobody else would hear of it.
      auth.catch(() => {})
      notesOf(req)[begun] = auth
    },
    get: (req: IncomingMessage) => {
      const { auth } = req as RequestWithAuth
      if (auth === undefined) throw new TokenRequired(bearerChallenge(config.challenge))
      return auth as Auth<Claims>
    },
    verify: (token: string) => verify(config, readToken(config, token)) as Promise<Auth<Claims>>,
  })
}

/** `undefined` if the request may go on without a token. */
function refusalOf(
  { optional, challenge }: AccessTokenConfig,
  credentials: Extract<Credentials, string>,
): TokenRequired | InvalidAuthorization | undefined {
  if (credentials === 'malformed') {
    return new InvalidAuthorization(bearerChallenge(challenge, { error: 'invalid_request' }))
  }
  return optional ? undefined : new TokenRequired(bearerChallenge(challenge))
}

interface RequestWithAuth extends IncomingMessage {
  auth?: Auth<object>
}

const CHALLENGE = Symbol('challenge of the access token')

function noted(req: IncomingMessage, challenge: ChallengeParameters): void {
  ;(req as unknown as Record<symbol, ChallengeParameters>)[CHALLENGE] = challenge
}

/** What a guard finds on a request. @throws {AuthMisuse} `accessToken()` has not run before */
export function authOf(req: IncomingMessage): {
  auth: Auth<object> | undefined
  challenge: ChallengeParameters
} {
  const challenge = (req as unknown as Record<symbol, ChallengeParameters | undefined>)[CHALLENGE]
  if (challenge === undefined) {
    throw new AuthMisuse('There is no `req.auth`: put the middleware of `accessToken()` before this.')
  }
  return { auth: (req as RequestWithAuth).auth, challenge }
}

declare global {
  namespace Express {
    interface Request {
      /** Set by `accessToken()`; `undefined` only where that is `optional` and there was no token. */
      auth?: Auth
    }
  }
}
