import { challengeOf, type Scheme } from './challenge.js'
import { refusedChannel } from './channels.js'
import { type AccessTokenClaims, boundTo, refusalOf, scopesOf } from './claims.js'
import { type CompactHeader, isCanonical, readHeader, readUnverifiedClaims } from './compact.js'
import { InvalidToken, type TokenRefusal, wordsOf } from './errors.js'
import type { AccessTokenConfig, IssuerConfig } from './options.js'
import { isSignedBy } from './signature.js'

/** What a good token says. */
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

/** A token that can be looked at further: its form is right, and its issuer is trusted. */
export interface ReadableToken {
  readonly token: string
  readonly header: CompactHeader
  readonly issuer: IssuerConfig
  /** What it says, true or not. */
  readonly unverified: Readonly<Record<string, unknown>>
}

/** A refusal that is not yet an error: those are made where the request is answered. */
class Refusal {
  readonly reason: TokenRefusal
  readonly issuer: string | undefined
  readonly cause: unknown

  constructor(reason: TokenRefusal, issuer?: string, cause?: unknown) {
    this.reason = reason
    this.issuer = issuer
    this.cause = cause
  }
}

/** Everything that can be said of a token without a key, the cheapest first. */
export function readToken(config: AccessTokenConfig, token: string): ReadableToken | Refusal {
  if (token.length > config.maxTokenBytes) return new Refusal('too-large')
  if (!isCanonical(token)) return new Refusal('malformed')
  const header = readHeader(token)
  if (typeof header === 'string') return new Refusal(header)
  if (!isAccessToken(config.type, header.typ)) return new Refusal('type')
  const unverified = readUnverifiedClaims(token)
  if (unverified === undefined) return new Refusal('malformed')
  const issuer = config.issuers.get(unverified.iss as string)
  if (issuer === undefined) return new Refusal('issuer')
  if (!issuer.algorithms.includes(header.alg)) return new Refusal('algorithm', issuer.issuer)
  return { token, header, issuer, unverified }
}

function isAccessToken(wanted: AccessTokenConfig['type'], typ: string): boolean {
  return typ === 'at+jwt' || (wanted === 'jwt' && (typ === 'jwt' || typ === ''))
}

/** Starts to ask whether a token was revoked, by what it says of itself. Never rejects. */
export function startRevocationCheck(
  { revocation }: AccessTokenConfig,
  readable: ReadableToken | Refusal,
): (() => boolean | Promise<boolean>) | undefined {
  if (revocation === undefined || readable instanceof Refusal) return undefined
  const { iss, sub, jti, sid } = readable.unverified
  if (![iss, sub, jti ?? '', sid ?? ''].every((text) => typeof text === 'string')) return undefined
  try {
    const answer = revocation.check(readable.unverified as unknown as AccessTokenClaims)
    // Whoever calls the returned function hears of it; a token that fails before is no reason to.
    if (answer instanceof Promise) answer.catch(() => {})
    return () => answer
  } catch (error) {
    return () => {
      throw error
    }
  }
}

/**
 * Verifies a token.
 *
 * @param scheme   by which it was presented
 * @param revoked  the check that was begun, if it was
 * @throws {InvalidToken} with the challenge for the client
 * @throws {KeysUnavailable} @throws the store's error, if revocation could not be asked
 */
export async function verify(
  config: AccessTokenConfig,
  readable: ReadableToken | Refusal,
  scheme: Scheme,
  revoked?: () => boolean | Promise<boolean>,
): Promise<Auth<object>> {
  const result = readable instanceof Refusal ? readable : await judge(config, readable, scheme, revoked)
  if (!(result instanceof Refusal)) return result
  const { reason, issuer, cause } = result
  if (refusedChannel.hasSubscribers) refusedChannel.publish({ reason, issuer })
  const parameters = { error: 'invalid_token', error_description: wordsOf(reason) }
  const challenge = challengeOf(config.challenge, parameters, scheme)
  throw new InvalidToken(reason, challenge, cause)
}

async function judge(
  config: AccessTokenConfig,
  { token, header, issuer, unverified }: ReadableToken,
  scheme: Scheme,
  revoked: (() => boolean | Promise<boolean>) | undefined,
): Promise<Auth<object> | Refusal> {
  const refuse = (reason: TokenRefusal, cause?: unknown): Refusal => new Refusal(reason, issuer.issuer, cause)
  const key = await issuer.keys.find(header.alg, header.kid)
  if (key === undefined) return refuse('key')
  if (!(await isSignedBy(token, key, header.alg))) return refuse('signature')
  const { type, clockToleranceMs, revocation } = config
  const reason = refusalOf(unverified, { ...issuer, type, clockToleranceMs }, config.clock())
  if (reason !== undefined) return refuse(reason)
  const claims = unverified as AccessTokenClaims
  const thumbprint = boundTo(claims)
  if (!isPresentedRight(config, scheme, thumbprint)) return refuse('binding')
  if (revocation !== undefined) {
    const lifeMs = (claims.exp - claims.iat) * 1_000
    if (!(lifeMs <= revocation.maxTokenLifeMs)) return refuse('claims')
    if (await (revoked?.() ?? revocation.check(claims))) return refuse('revoked')
  }
  const checked = await config.claims?.['~standard'].validate(claims)
  if (checked?.issues !== undefined) return refuse('claims')
  return Object.freeze({
    claims: checked === undefined ? claims : checked.value,
    verified: claims,
    scopes: scopesOf(claims.scope),
    thumbprint,
  })
}

/**
 * A bound token that passes as a bearer token would be worth as much to a thief as one that is not bound; also where nobody
 * asks for proofs.
 */
function isPresentedRight(
  { dpop }: AccessTokenConfig,
  scheme: Scheme,
  thumbprint: string | undefined,
): boolean {
  return scheme === 'DPoP' ? thumbprint !== undefined : thumbprint === undefined && dpop?.mode !== 'required'
}
