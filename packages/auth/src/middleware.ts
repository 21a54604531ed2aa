import type { IncomingMessage, ServerResponse } from 'node:http'
import { contract, type MiddlewareContract, type Next, prefetch, requestSlot } from '@scale/core'
import { refusedChannel } from './channels.js'
import {
  AuthMisuse,
  errorOfProof,
  InvalidAuthorization,
  InvalidProof,
  TokenRequired,
  wordsOfProof,
} from './errors.js'
import { type Credentials, credentialsOf } from './http/authorization.js'
import { type ChallengeParameters, challengeOf, type Scheme } from './http/challenge.js'
import { certificateOf } from './http/client-certificate.js'
import type { ProofOutcome } from './http/dpop/dpop.js'
import { type AccessTokenConfig, type AccessTokenOptions, resolveAccessTokenOptions } from './options.js'
import type { AccessTokenClaims } from './verification/claims.js'
import type { Establishing } from './verification/established.js'
import { Establishment } from './verification/establishment.js'
import { Introspected } from './verification/introspection/introspected.js'
import { type Auth, verify } from './verification/verifier.js'

/** The middleware, and what can be done with tokens outside a request. */
export interface AccessTokens<Claims extends object = AccessTokenClaims> {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /** Starts to verify the token of a request. Called by `compose`. */
  [prefetch](req: IncomingMessage): void
  /** The credentials that it reads, and how it refuses others. */
  readonly [contract]: MiddlewareContract
  /** `req.auth`, typed by the schema. @throws {TokenRequired} this request has no token */
  get(req: IncomingMessage): Auth<Claims>
  /**
   * Verifies a token that came another way than in a header, such as in the first message of a WebSocket. There is no proof
   * then: one that is bound to a key is refused.
   *
   * @throws {InvalidToken} @throws {KeysUnavailable} @throws {IntrospectionUnavailable} @throws the error of the revocation's store
   */
  verify(token: string): Promise<Auth<Claims>>
}

/**
 * A resource server: lets requests pass that carry a good access token, and puts what it says into `req.auth`.
 *
 * The token is taken from `Authorization: Bearer`, or `DPoP` with the option `dpop`, and nowhere else. Every refusal has a
 * challenge (RFC 6750, RFC 9449); keys, revocations or used proofs that cannot be had are a 503.
 *
 * @throws {InvalidOption} an option is wrong or missing
 * @see RFC 9068 §4 · RFC 6750 · RFC 9728 §5.1 · docs/concepts/tokens.md
 */
export function accessToken<Claims extends object = AccessTokenClaims>(
  options: AccessTokenOptions<Claims>,
): AccessTokens<Claims> {
  const config = resolveAccessTokenOptions(options)
  const establishment = establishmentOf(config)
  const takesDpop = config.dpop !== undefined
  /** Where `prefetch` leaves what it began. */
  const begun = requestSlot<Admission>('access token begun')

  function accessToken(req: IncomingMessage, res: ServerResponse, next: Next): void {
    const known = begun.get(req)
    const credentials = known?.credentials ?? credentialsOf(req, takesDpop)
    const isThere = typeof credentials !== 'string'
    presented.set(req, { challenge: config.challenge, scheme: isThere ? credentials.scheme : undefined })
    if (!isThere) {
      next(refusalOf(config, credentials))
      return
    }
    const pass = ({ auth, nonce }: Admitted): void => {
      ;(req as RequestWithAuth).auth = auth
      if (nonce !== undefined) res.setHeader('DPoP-Nonce', nonce)
      next()
    }
    let admitted: Admitted | Promise<Admitted>
    try {
      admitted = known?.admitted ?? admit(config, establishment, req, credentials)
    } catch (error) {
      next(error)
      return
    }
    if (admitted instanceof Promise) admitted.then(pass, next)
    else pass(admitted)
  }

  return Object.assign(accessToken, {
    [contract]: contractOf(config),
    [prefetch]: (req: IncomingMessage) => {
      const credentials = credentialsOf(req, takesDpop)
      if (typeof credentials === 'string' || begun.get(req) !== undefined) return
      try {
        const admitted = admit(config, establishment, req, credentials)
        // It belongs to the later call, which may never come: then nobody else would hear of it.
        if (admitted instanceof Promise) admitted.catch(() => {})
        begun.set(req, { credentials, admitted })
      } catch {
        // Nothing is kept of it: the middleware asks again when it is its turn, and that refusal is reported.
      }
    },
    get: (req: IncomingMessage) => {
      const { auth } = req as RequestWithAuth
      if (auth === undefined) throw new TokenRequired(challengeOf(config.challenge))
      return auth as Auth<Claims>
    },
    verify: async (token: string) =>
      (await verify(config, establishment, token, { scheme: 'Bearer' })) as Auth<Claims>,
  })
}

function establishmentOf(config: AccessTokenConfig): Establishing {
  const { introspected, maxTokenBytes, maxRememberedTokens } = config
  return introspected === undefined
    ? new Establishment(config)
    : new Introspected(introspected, maxTokenBytes, maxRememberedTokens)
}

type GivenCredentials = Exclude<Credentials, string>

/** A request that may pass. */
interface Admitted {
  readonly auth: Auth<object>
  /** For the client's next proofs. */
  readonly nonce: string | undefined
}

interface Admission {
  readonly credentials: GivenCredentials
  readonly admitted: Admitted | Promise<Admitted>
}

/** Token first, proof second: only who has a good token can fill the store of used proofs. */
function admit(
  config: AccessTokenConfig,
  establishment: Establishing,
  req: IncomingMessage,
  { token, scheme }: GivenCredentials,
): Admitted | Promise<Admitted> {
  const certificate = (): string | undefined => certificateOf(config.clientCertificate, req)
  const auth = verify(config, establishment, token, { scheme, certificate })
  if (scheme === 'DPoP') return proved(config, req, token, auth)
  return auth instanceof Promise ? auth.then(unproved) : unproved(auth)
}

function unproved(auth: Auth<object>): Admitted {
  return { auth, nonce: undefined }
}

async function proved(
  config: AccessTokenConfig,
  req: IncomingMessage,
  token: string,
  verified: Auth<object> | Promise<Auth<object>>,
): Promise<Admitted> {
  const auth = await verified
  const outcome = await config.dpop!.confirm(req, token, auth.thumbprint!)
  if (outcome.kind === 'good') return { auth, nonce: outcome.nonce }
  throw proofRefused(config, outcome, auth.verified.iss)
}

function proofRefused(
  { challenge }: AccessTokenConfig,
  { reason, nonce }: Extract<ProofOutcome, { kind: 'refused' }>,
  issuer: string,
): InvalidProof {
  if (refusedChannel.hasSubscribers) refusedChannel.publish({ reason, issuer })
  const parameters = {
    error: errorOfProof(nonce),
    error_description: wordsOfProof(reason),
  }
  return new InvalidProof(reason, challengeOf(challenge, parameters, 'DPoP'), nonce)
}

/** `undefined` if the request may go on without a token. */
function refusalOf(
  { optional, challenge }: AccessTokenConfig,
  credentials: Extract<Credentials, string>,
): TokenRequired | InvalidAuthorization | undefined {
  if (credentials === 'malformed') {
    return new InvalidAuthorization(challengeOf(challenge, { error: 'invalid_request' }))
  }
  return optional ? undefined : new TokenRequired(challengeOf(challenge))
}

function contractOf({ optional, dpop, introspected }: AccessTokenConfig): MiddlewareContract {
  const schemes = dpop === undefined ? (['bearer'] as const) : (['bearer', 'dpop'] as const)
  return {
    security: schemes.map((scheme) => ({ scheme, optional })),
    problems: [
      { status: 400, code: 'ERR_SCALE_TOKEN_REQUEST' },
      { status: 401, code: 'ERR_SCALE_TOKEN_INVALID' },
      ...(optional ? [] : [{ status: 401, code: 'ERR_SCALE_TOKEN_REQUIRED' }]),
      ...(dpop === undefined ? [] : [{ status: 401, code: 'ERR_SCALE_DPOP_PROOF' }]),
      {
        status: 503,
        code:
          introspected === undefined ? 'ERR_SCALE_KEYS_UNAVAILABLE' : 'ERR_SCALE_INTROSPECTION_UNAVAILABLE',
      },
    ],
  }
}

interface RequestWithAuth extends IncomingMessage {
  auth?: Auth<object>
}

/** What challenges to a request say. */
export interface Presented {
  readonly challenge: ChallengeParameters
  /** By which the request presented its token. */
  readonly scheme: Scheme | undefined
}

const presented = requestSlot<Presented>('how the access token was presented')

/** What a guard finds on a request. @throws {AuthMisuse} `accessToken()` has not run before */
export function authOf(req: IncomingMessage): { auth: Auth<object> | undefined; presented: Presented } {
  const found = presented.get(req)
  if (found === undefined) {
    throw new AuthMisuse('There is no `req.auth`: put the middleware of `accessToken()` before this.')
  }
  return { auth: (req as RequestWithAuth).auth, presented: found }
}

declare global {
  namespace Express {
    interface Request {
      /** Set by `accessToken()`; `undefined` only where that is `optional` and there was no token. */
      auth?: Auth
    }
  }
}
