import type { IncomingMessage } from 'node:http'
import {
  anyOf,
  arrayOf,
  boolean,
  durationMs,
  func,
  InvalidOption,
  integer,
  type OptionCheck,
  type OptionChecks,
  oneOf,
  resolveOptions,
  type Schema,
  standardSchema,
  string,
} from '@scale/core'
import { type ChallengeParameters, quotable } from './http/challenge.js'
import type { ClientCertificate } from './http/client-certificate.js'
import type { Dpop } from './http/dpop/dpop.js'
import type { KeySet } from './keys/key-set.js'
import { type Algorithm, isSymmetric, algorithms as known, mlDsa } from './verification/algorithms.js'
import type { AccessTokenClaims } from './verification/claims.js'
import type { Introspection } from './verification/introspection/introspection.js'
import type { Revocation } from './verification/revocation.js'

/** An authorization server whose tokens are accepted. */
export interface TrustedIssuer {
  /** Its name, exactly as in the claim `iss`, including a slash at the end if there is one. */
  issuer: string
  /**
   * The name or names of this API: the claim `aud` must have one of them. `false` for a provider whose access tokens name no
   * audience: then `clientId` is required, and a token that does name one is refused
   */
  audience: string | readonly string[] | false
  /** The client or clients whose tokens are accepted: the claim `client_id`, or `azp` where there is none. Default any */
  clientId?: string | readonly string[]
  /**
   * The algorithms that it signs with: either HMAC or public keys, never both. Default: those of the keys, where they are at
   * hand (`localKeys`, `signingKeys`)
   */
  algorithms?: readonly Algorithm[]
  /** Its keys: `remoteKeys(url)`, `localKeys(jwks)`, or the `signingKeys(…)` of this app. */
  keys: KeySet
}

/** What `accessToken` takes. */
export interface AccessTokenOptions<Claims extends object = AccessTokenClaims>
  extends Omit<TrustedIssuer, 'keys'> {
  /** Its keys, as with the other issuers; required, unless there is `introspection`. Default none */
  keys?: KeySet
  /**
   * Asks the issuer about its tokens, which then need not be JWTs: `introspection(endpoint, …)` (RFC 7662), in the place of `keys`.
   * Default none
   */
  introspection?: Introspection
  /** More authorization servers, each with keys of its own. Default none */
  otherIssuers?: readonly TrustedIssuer[]
  /**
   * Which tokens count as access tokens by their `typ`. `jwt`: for providers that do not follow RFC 9068, takes `at+jwt`,
   * `JWT` or none and asks for `iss`, `sub`, `aud` and `exp` only; then an ID token for the same audience passes too.
   * Default `at+jwt`
   */
  type?: 'at+jwt' | 'jwt'
  /** How far clocks may be apart, in ms. 0–300,000. Default 10,000 */
  clockToleranceMs?: number
  /** A longer token is refused before it is looked at. 256–1,048,576. Default 8,192 */
  maxTokenBytes?: number
  /**
   * Tokens whose signature is not verified again while their key stays the same: those that were used last, about 2 kB each.
   * 0–1,000,000. Default 10,000
   */
  maxRememberedTokens?: number
  /** What the claims must be; what it returns is `req.auth.claims`. Default none */
  claims?: Schema<Claims>
  /** Goes on without `req.auth` if there is no token. One that is not good is refused all the same. Default false */
  optional?: boolean
  /** Asks on every request whether the token was revoked. Default none */
  revocation?: Revocation
  /** Asks for proof that the client has the key that its token is bound to: `dpop(…)`. Default none */
  dpop?: Dpop
  /**
   * The certificate that a request's client has shown, for tokens that are bound to one (RFC 8705): in DER, or in PEM. For a proxy
   * that ends TLS: read the field that it sets, and be sure that clients cannot. Default: that of the TLS connection
   */
  clientCertificate?: (req: IncomingMessage) => Buffer | string | undefined
  /** Named in every challenge. Default none */
  realm?: string
  /** Address of this API's protected resource metadata (RFC 9728), named in every challenge. Default none */
  resourceMetadata?: string
  /** For tests: the time, in ms. Default `Date.now` */
  clock?: () => number
}

/** The defaults of {@link AccessTokenOptions}. */
export const accessTokenDefaults: Readonly<
  Required<
    Pick<
      AccessTokenOptions,
      'type' | 'clockToleranceMs' | 'maxTokenBytes' | 'maxRememberedTokens' | 'optional'
    >
  >
> = Object.freeze({
  type: 'at+jwt',
  clockToleranceMs: 10_000,
  maxTokenBytes: 8_192,
  maxRememberedTokens: 10_000,
  optional: false,
})

const keySet: OptionCheck = (value) =>
  typeof (value as Partial<KeySet> | null)?.find === 'function'
    ? undefined
    : '`remoteKeys(…)`, `localKeys(…)` or `signingKeys(…)`'

const none: OptionCheck = (value) => (value === false ? undefined : 'false')

const trusted: OptionChecks<TrustedIssuer> = {
  issuer: string(1, 1_024),
  audience: anyOf(string(1, 1_024), arrayOf(string(1, 1_024), 1), none),
  clientId: anyOf(string(1, 256), arrayOf(string(1, 256), 1)),
  algorithms: arrayOf(oneOf(...new Set([...known, ...mlDsa])), 1),
  keys: keySet,
}

const checks: OptionChecks<AccessTokenOptions> = {
  ...trusted,
  introspection: (value) =>
    typeof (value as Partial<Introspection> | null)?.ask === 'function' ? undefined : '`introspection(…)`',
  otherIssuers: arrayOf(() => undefined),
  type: oneOf('at+jwt', 'jwt'),
  clockToleranceMs: durationMs(0, 300_000),
  maxTokenBytes: integer(256, 1_048_576),
  maxRememberedTokens: integer(0, 1_000_000),
  claims: standardSchema,
  optional: boolean,
  revocation: (value) =>
    typeof (value as Partial<Revocation> | null)?.check === 'function' ? undefined : '`revocation(…)`',
  dpop: (value) => (typeof (value as Partial<Dpop> | null)?.confirm === 'function' ? undefined : '`dpop(…)`'),
  clientCertificate: func,
  realm: quotable(128),
  resourceMetadata: (value) =>
    quotable(1_024)(value) === undefined && URL.canParse(value as string) ? undefined : 'an absolute URL',
  clock: func,
}

/** One issuer, as the verifier uses it. */
export interface IssuerConfig {
  readonly issuer: string
  readonly audience: readonly string[] | undefined
  readonly clientId: readonly string[] | undefined
  readonly algorithms: readonly Algorithm[]
  readonly keys: KeySet
}

/** An issuer that is asked about its tokens. */
export interface IntrospectedConfig extends Pick<IssuerConfig, 'issuer' | 'audience' | 'clientId'> {
  readonly introspection: Introspection
  /** `jwt`: it need not say what kind of token it is. */
  readonly type: 'at+jwt' | 'jwt'
}

/** What every part of the resource server works with. */
export interface AccessTokenConfig {
  readonly issuers: ReadonlyMap<string, IssuerConfig>
  /** There is no key then, and no other issuer. */
  readonly introspected: IntrospectedConfig | undefined
  readonly type: 'at+jwt' | 'jwt'
  readonly clockToleranceMs: number
  readonly maxTokenBytes: number
  readonly maxRememberedTokens: number
  readonly claims: Schema<object> | undefined
  readonly optional: boolean
  readonly revocation: Revocation | undefined
  readonly dpop: Dpop | undefined
  readonly clientCertificate: ClientCertificate | undefined
  readonly challenge: ChallengeParameters
  readonly clock: () => number
}

const required = ['issuer', 'audience'] as const

/** @throws {InvalidOption} */
export function resolveAccessTokenOptions<Claims extends object>(
  options: AccessTokenOptions<Claims>,
): AccessTokenConfig {
  const given = options as unknown as AccessTokenOptions
  const resolved = resolveOptions('accessToken', given, { checks, defaults: accessTokenDefaults, required })
  const others = (resolved.otherIssuers ?? []).map((other) =>
    resolveOptions('accessToken: otherIssuers', other, {
      checks: trusted,
      defaults: {},
      required: [...required, 'keys'],
    }),
  )
  const introspected = introspectedConfig(resolved)
  const issuers = introspected === undefined ? [resolved, ...others].map(issuerConfig) : []
  const byName = new Map(issuers.map((one) => [one.issuer, one]))
  if (byName.size < issuers.length) throw new InvalidOption('accessToken: two issuers have the same name.')
  const { realm, resourceMetadata, dpop } = resolved
  return {
    issuers: byName,
    introspected,
    type: resolved.type,
    clockToleranceMs: resolved.clockToleranceMs,
    maxTokenBytes: resolved.maxTokenBytes,
    maxRememberedTokens: resolved.maxRememberedTokens,
    claims: resolved.claims,
    optional: resolved.optional,
    revocation: resolved.revocation,
    dpop,
    clientCertificate: resolved.clientCertificate,
    challenge: { realm, resourceMetadata, dpop },
    clock: resolved.clock ?? Date.now,
  }
}

function introspectedConfig({
  introspection,
  ...given
}: Pick<AccessTokenOptions, 'introspection' | 'keys' | 'algorithms' | 'otherIssuers' | 'type'> & Trust):
  | IntrospectedConfig
  | undefined {
  if (introspection === undefined) return undefined
  if ([given.keys, given.algorithms, given.otherIssuers].some((one) => one !== undefined)) {
    throw new InvalidOption(
      'accessToken: with `introspection`, the provider vouches for its tokens: `keys`, `algorithms` and `otherIssuers` have no place.',
    )
  }
  return { ...trustOf(given), introspection, type: given.type ?? 'at+jwt' }
}

function issuerConfig({ keys, ...given }: Omit<TrustedIssuer, 'keys'> & { keys?: KeySet }): IssuerConfig {
  if (keys === undefined) throw new InvalidOption('accessToken: `keys` is required, or `introspection`.')
  const algorithms = given.algorithms ?? keys.algorithms
  if (algorithms === undefined)
    throw new InvalidOption('accessToken: `algorithms` is required with these keys.')
  const missing = algorithms.find((one) => !known.includes(one))
  if (missing !== undefined) {
    throw new InvalidOption(
      `accessToken: \`algorithms\` has ${missing}, which Node ${process.version} does not: 24.7 or later does.`,
    )
  }
  if (algorithms.some(isSymmetric) && !algorithms.every(isSymmetric)) {
    throw new InvalidOption(
      'accessToken: `algorithms` mixes HMAC and public keys: a token could then be signed with a public key as the secret.',
    )
  }
  if (keys.algorithms?.some((one) => algorithms.includes(one)) === false) {
    throw new InvalidOption(
      `accessToken: \`algorithms\` has none of those that the keys are for (${keys.algorithms.join(', ')}): every token would be refused.`,
    )
  }
  return { ...trustOf(given), algorithms, keys }
}

type Trust = Pick<TrustedIssuer, 'issuer' | 'audience' | 'clientId'>

function trustOf({ issuer, audience, clientId }: Trust): Omit<IssuerConfig, 'algorithms' | 'keys'> {
  if (audience === false && clientId === undefined) {
    throw new InvalidOption(
      'accessToken: `audience: false` needs `clientId`: else the tokens of every client would do.',
    )
  }
  return {
    issuer,
    audience: audience === false ? undefined : listOf(audience),
    clientId: clientId === undefined ? undefined : listOf(clientId),
  }
}

function listOf(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value
}
