import { refusedChannel } from '../channels.js'
import { InvalidToken, wordsOf } from '../errors.js'
import { challengeOf, type Scheme } from '../http/challenge.js'
import type { AccessTokenConfig } from '../options.js'
import { type AccessTokenClaims, boundTo, refusalByTime, scopesOf } from './claims.js'
import { type Established, type Establishing, Refusal } from './established.js'

/** What a good token says. Requests with one token share its claims, so they are frozen. */
export interface Auth<Claims extends object = AccessTokenClaims> {
  /** The claims: those of RFC 9068, or what the schema made of them. */
  readonly claims: Claims
  /** The claims as they came, whatever the schema made of them. */
  readonly verified: AccessTokenClaims
  /** The words of the claim `scope`. */
  readonly scopes: ReadonlySet<string>
  /** Of the key that the client has proved to have (RFC 7638); `undefined` for a bearer token. */
  readonly thumbprint: string | undefined
}

/** How a token came. */
export interface Presentation {
  readonly scheme: Scheme
  /** Thumbprint of the certificate that its client has shown; asked for only where the token is bound to one. */
  certificate?(): string | undefined
}

/**
 * Verifies a token: establishes what does not change, and decides what does: time, binding, revocation, schema.
 *
 * @param presented  how it came
 * @returns no promise if everything is at hand
 * @throws {InvalidToken} with the challenge for the client
 * @throws {KeysUnavailable} @throws {IntrospectionUnavailable} @throws {VerificationBusy} @throws the store's error, if revocation could not be asked
 */
export function verify(
  config: AccessTokenConfig,
  establishment: Establishing,
  token: string,
  presented: Presentation,
): Auth<object> | Promise<Auth<object>> {
  const established = establishment.establish(token)
  return established instanceof Promise
    ? established.then((one) => decide(config, one, presented))
    : decide(config, established, presented)
}

function decide(
  config: AccessTokenConfig,
  established: Established | Refusal,
  presented: Presentation,
): Auth<object> | Promise<Auth<object>> {
  const { scheme } = presented
  if (established instanceof Refusal) throw invalid(config, established, scheme)
  const { claims, issuer } = established
  const refuse = (reason: Refusal['reason']): InvalidToken =>
    invalid(config, new Refusal(reason, issuer.issuer), scheme)
  const thumbprint = boundTo(claims)
  const reason = refusalByTime(claims, config.clockToleranceMs, config.clock())
  if (reason !== undefined) throw refuse(reason)
  if (!isPresentedRight(config, presented, claims)) throw refuse('binding')
  const { revocation } = config
  if (revocation === undefined) return checked(config, claims, thumbprint, refuse)
  const lifeMs = (claims.exp - claims.iat) * 1_000
  if (!(lifeMs <= revocation.maxTokenLifeMs)) throw refuse('claims')
  const goOn = (isRevoked: boolean): Auth<object> | Promise<Auth<object>> => {
    if (isRevoked) throw refuse('revoked')
    return checked(config, claims, thumbprint, refuse)
  }
  const isRevoked = revocation.check(claims)
  return isRevoked instanceof Promise ? isRevoked.then(goOn) : goOn(isRevoked)
}

/** What the schema makes of the claims. */
function checked(
  { claims: schema }: AccessTokenConfig,
  verified: AccessTokenClaims,
  thumbprint: string | undefined,
  refuse: (reason: Refusal['reason']) => InvalidToken,
): Auth<object> | Promise<Auth<object>> {
  const made = (claims: object): Auth<object> =>
    Object.freeze({ claims, verified, scopes: scopesOf(verified.scope), thumbprint })
  if (schema === undefined) return made(verified)
  const result = schema['~standard'].validate(verified)
  const read = (one: Awaited<typeof result>): Auth<object> => {
    if (one.issues !== undefined) throw refuse('claims')
    return made(one.value)
  }
  return result instanceof Promise ? result.then(read) : read(result)
}

function invalid(
  config: AccessTokenConfig,
  { reason, issuer, cause }: Refusal,
  scheme: Scheme,
): InvalidToken {
  if (refusedChannel.hasSubscribers) refusedChannel.publish({ reason, issuer })
  const parameters = { error: 'invalid_token', error_description: wordsOf(reason) }
  return new InvalidToken(reason, challengeOf(config.challenge, parameters, scheme), cause)
}

/**
 * A bound token that passes as a bearer token would be worth as much to a thief as one that is not bound; also where nobody
 * asks for proofs.
 */
function isPresentedRight(
  { dpop }: AccessTokenConfig,
  { scheme, certificate }: Presentation,
  claims: AccessTokenClaims,
): boolean {
  const wanted = claims.cnf?.['x5t#S256']
  if (wanted !== undefined && certificate?.() !== wanted) return false
  const thumbprint = boundTo(claims)
  return scheme === 'DPoP' ? thumbprint !== undefined : thumbprint === undefined && dpop?.mode !== 'required'
}
