import type { TokenRefusal } from '../errors.js'

/** The claims of an access token (RFC 9068 §2.2). Others are there as they came; a schema gives them types. */
export interface AccessTokenClaims {
  /** Who made the token. */
  readonly iss: string
  /** Whom it is about: with `iss`, the one name of a user. */
  readonly sub: string
  /** Whom it is for. */
  readonly aud: string | readonly string[]
  /** Its end, in seconds since 1970. */
  readonly exp: number
  /** When it was made, in seconds since 1970. */
  readonly iat: number
  /** Its own name. */
  readonly jti: string
  /** The client that it was given to. */
  readonly client_id: string
  /** From when on it is valid, in seconds since 1970. */
  readonly nbf?: number
  /** What it allows, words between spaces. */
  readonly scope?: string
  /** When the user authenticated, in seconds since 1970. */
  readonly auth_time?: number
  /** How strongly the user authenticated. */
  readonly acr?: string
  /** The session, or family of tokens, that it belongs to. */
  readonly sid?: string
  /** What whoever presents it must prove to have (RFC 7800), a key or a certificate by its thumbprint (RFC 9449 §6.1, RFC 8705 §3.1). */
  readonly cnf?: {
    readonly jkt?: string
    readonly 'x5t#S256'?: string
    readonly [name: string]: unknown
  }
  readonly [name: string]: unknown
}

/** What the claims are held against. */
export interface ClaimRules {
  readonly issuer: string
  /** `undefined`: tokens of this issuer name no audience. */
  readonly audience: readonly string[] | undefined
  /** `undefined`: any client. */
  readonly clientId: readonly string[] | undefined
  /** `jwt` asks for less than RFC 9068: `iss`, `sub`, `aud` and `exp`. */
  readonly type: 'at+jwt' | 'jwt'
}

const TEXTS = ['iss', 'sub', 'client_id', 'jti', 'acr', 'sid'] as const
const INSTANTS = ['exp', 'iat', 'nbf', 'auth_time'] as const
const REQUIRED = {
  'at+jwt': ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id'],
  jwt: ['iss', 'sub', 'aud', 'exp'],
} as const

/**
 * Judges what the claims of a token say, whenever it is.
 *
 * @returns the reason to refuse it; `undefined` if there is none
 * @see RFC 9068 §4 · RFC 7519 §4.1
 */
export function refusalByContent(
  claims: Readonly<Record<string, unknown>>,
  rules: ClaimRules,
): TokenRefusal | undefined {
  const isThere = (name: string): boolean =>
    Object.hasOwn(claims, name) || (name === 'aud' && rules.audience === undefined)
  if (!REQUIRED[rules.type].every(isThere)) return 'claims'
  if (TEXTS.some((name) => claims[name] !== undefined && !isText(claims[name]))) return 'claims'
  if (INSTANTS.some((name) => claims[name] !== undefined && !isInstant(claims[name]))) return 'claims'
  if (claims.cnf !== undefined && !isConfirmation(claims.cnf)) return 'claims'
  // An empty scope is one that allows nothing.
  if (claims.scope !== undefined && typeof claims.scope !== 'string') return 'claims'
  if (claims.iss !== rules.issuer) return 'issuer'
  return refusalByAudience(claims, rules) ?? refusalByClient(claims, rules)
}

function refusalByAudience(
  { aud }: Readonly<Record<string, unknown>>,
  { audience }: ClaimRules,
): TokenRefusal | undefined {
  // A token that names an audience is for that one, and not for those who have no name.
  if (audience === undefined) return aud === undefined ? undefined : 'audience'
  const named: unknown = typeof aud === 'string' ? [aud] : aud
  if (!Array.isArray(named) || !named.every(isText)) return 'claims'
  return named.some((one) => audience.includes(one)) ? undefined : 'audience'
}

/** The client is `client_id`, or `azp` where a provider does not follow RFC 9068. */
function refusalByClient(
  { client_id: id, azp = undefined }: Readonly<Record<string, unknown>>,
  { clientId }: ClaimRules,
): TokenRefusal | undefined {
  if (clientId === undefined) return undefined
  const client = id ?? azp
  if (!isText(client)) return 'claims'
  return clientId.includes(client) ? undefined : 'client'
}

/** Judges whether it is time for a token. @param claims  which `refusalByContent` lets pass */
export function refusalByTime(
  { exp, nbf = 0, iat = 0 }: Pick<AccessTokenClaims, 'exp' | 'nbf'> & { readonly iat?: number },
  clockToleranceMs: number,
  nowMs: number,
): TokenRefusal | undefined {
  if (exp * 1_000 + clockToleranceMs <= nowMs) return 'expired'
  return Math.max(nbf, iat) * 1_000 > nowMs + clockToleranceMs ? 'early' : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 4_096
}

function isInstant(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/** Another way of confirmation is nothing that could be checked here; of two ways both must hold. */
function isConfirmation(value: unknown): boolean {
  const { jkt, 'x5t#S256': certificate } = (value ?? {}) as { jkt?: unknown; 'x5t#S256'?: unknown }
  const named = [jkt, certificate].filter((one) => one !== undefined)
  return named.length > 0 && named.every(isThumbprint)
}

/** Whether a value is a SHA-256 in base64url, as the thumbprint of a key is (RFC 7638). */
export function isThumbprint(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{43}$/.test(value)
}

/** Thumbprint of the key that a token is bound to. @param claims  which `refusalByContent` lets pass */
export function boundTo({ cnf }: Pick<AccessTokenClaims, 'cnf'>): string | undefined {
  return cnf?.jkt
}

/** The words of `scope` (RFC 6749 §3.3). */
export function scopesOf(scope: string | undefined): ReadonlySet<string> {
  return new Set(scope?.split(' ').filter((word) => word !== ''))
}
