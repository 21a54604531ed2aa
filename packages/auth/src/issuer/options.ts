import {
  anyOf,
  arrayOf,
  assertMemoryStoreAllowed,
  boolean,
  durationMs,
  func,
  InvalidOption,
  integer,
  type OptionChecks,
  object,
  resolveOptions,
  string,
} from '@scale/core'
import { keyPrefix, type RedisClient, redisClient } from '@scale/redis'
import type { SigningKeys } from '../keys/signing.js'
import type { FamilyStore } from '../stores/family-store.js'
import { memoryFamilyStore } from '../stores/memory-family.js'
import { redisFamilyStore } from '../stores/redis-family.js'
import type { Revocation } from '../verification/revocation.js'

/** What `tokenIssuer` takes. */
export interface TokenIssuerOptions {
  /** The name of this authorization server: the claim `iss`. A URL, by custom. */
  issuer: string
  /** The API or APIs that access tokens are for: the claim `aud`. */
  audience: string | readonly string[]
  /** The keys that sign access tokens. */
  keys: SigningKeys
  /** The claim `client_id`, where a sign-in names no other. Default `app` */
  clientId?: string
  /** An ioredis client, yours to close. Default: families stay in this process, where that is safe */
  redis?: RedisClient
  /** Another store. Default: made of `redis` */
  store?: FamilyStore
  /** How long an access token lives, in ms, 10,000–86,400,000. Default 300,000 (5 min) */
  accessTtlMs?: number
  /** A family that nobody refreshes ends after this, in ms. Default 604,800,000 (7 days) */
  idleTimeoutMs?: number
  /** Every family ends after this, in ms. Default 2,592,000,000 (30 days) */
  absoluteTimeoutMs?: number
  /** How long a replaced refresh token is answered with the same successor, in ms, 0–60,000. Default 20,000 */
  graceMs?: number
  /**
   * Families that one user may have; a further sign-in ends the one that was not used for the longest time, whose access tokens
   * live out their minutes. 1–10,000. Default 100
   */
  maxPerUser?: number
  /** Also takes access tokens back when a family or a user is revoked. Default none */
  revocation?: Revocation
  /** Sets apps on one Redis apart. Default `scale` */
  prefix?: string
  /** Longest wait for a reply of Redis, in ms, 1–60,000. Default: the client's `patienceMs`, 1,000 */
  deadlineMs?: number
  /** Allows families in this process also in production and in a cluster worker. Default false */
  allowMemoryStore?: boolean
  /** For tests of the memory store: the time, in ms. Default `Date.now` */
  clock?: () => number
}

type WithDefault =
  | 'clientId'
  | 'accessTtlMs'
  | 'idleTimeoutMs'
  | 'absoluteTimeoutMs'
  | 'graceMs'
  | 'maxPerUser'
  | 'prefix'
  | 'allowMemoryStore'

/** The defaults of {@link TokenIssuerOptions}. */
export const tokenIssuerDefaults: Readonly<Required<Pick<TokenIssuerOptions, WithDefault>>> = Object.freeze({
  clientId: 'app',
  accessTtlMs: 300_000,
  idleTimeoutMs: 604_800_000,
  absoluteTimeoutMs: 2_592_000_000,
  graceMs: 20_000,
  maxPerUser: 100,
  prefix: 'scale',
  allowMemoryStore: false,
})

const TEN_YEARS_MS = 315_360_000_000

const checks: OptionChecks<TokenIssuerOptions> = {
  issuer: string(1, 1_024),
  audience: anyOf(string(1, 1_024), arrayOf(string(1, 1_024), 1)),
  keys: (value) =>
    typeof (value as Partial<SigningKeys> | null)?.current === 'function' ? undefined : '`signingKeys(…)`',
  clientId: string(1, 256),
  redis: redisClient,
  store: object,
  accessTtlMs: durationMs(10_000, 86_400_000),
  idleTimeoutMs: durationMs(1_000, TEN_YEARS_MS),
  absoluteTimeoutMs: durationMs(1_000, TEN_YEARS_MS),
  graceMs: durationMs(0, 60_000),
  maxPerUser: integer(1, 10_000),
  revocation: (value) =>
    typeof (value as Partial<Revocation> | null)?.check === 'function' ? undefined : '`revocation(…)`',
  prefix: keyPrefix,
  deadlineMs: durationMs(1, 60_000),
  allowMemoryStore: boolean,
  clock: func,
}

/** What the issuer works with. */
export interface TokenIssuerConfig {
  readonly issuer: string
  readonly audience: string | readonly string[]
  readonly keys: SigningKeys
  readonly clientId: string
  readonly store: FamilyStore
  readonly accessTtlMs: number
  readonly idleTimeoutMs: number
  readonly absoluteTimeoutMs: number
  readonly graceMs: number
  readonly maxPerUser: number
  readonly revocation: Revocation | undefined
}

/** @throws {InvalidOption} @throws {MemoryStoreRefused} */
export function resolveTokenIssuerOptions(options: TokenIssuerOptions): TokenIssuerConfig {
  const resolved = resolveOptions('tokenIssuer', options, {
    checks,
    defaults: tokenIssuerDefaults,
    required: ['issuer', 'audience', 'keys'],
  })
  const { keys, accessTtlMs, revocation, redis, store, prefix, deadlineMs } = resolved
  if (resolved.idleTimeoutMs > resolved.absoluteTimeoutMs) {
    throw new InvalidOption('tokenIssuer: `idleTimeoutMs` must not be above `absoluteTimeoutMs`.')
  }
  if (accessTtlMs > keys.retireAfterMs) {
    throw new InvalidOption(
      'tokenIssuer: `accessTtlMs` must not be above `retireAfterMs` of the keys: tokens would outlive their key.',
    )
  }
  if (revocation !== undefined && accessTtlMs > revocation.maxTokenLifeMs) {
    throw new InvalidOption(
      'tokenIssuer: `accessTtlMs` must not be above `maxTokenLifeMs` of the revocation.',
    )
  }
  if (store !== undefined && redis !== undefined) {
    throw new InvalidOption('tokenIssuer: give `redis` or `store`, not both.')
  }
  if (store === undefined && redis === undefined) {
    assertMemoryStoreAllowed('tokenIssuer', resolved.allowMemoryStore)
  }
  const { clock } = resolved
  const made =
    redis === undefined
      ? memoryFamilyStore(clock === undefined ? {} : { clock })
      : redisFamilyStore({ redis, prefix, ...(deadlineMs === undefined ? {} : { deadlineMs }) })
  return {
    issuer: resolved.issuer,
    audience: resolved.audience,
    keys,
    clientId: resolved.clientId,
    store: store ?? made,
    accessTtlMs,
    idleTimeoutMs: resolved.idleTimeoutMs,
    absoluteTimeoutMs: resolved.absoluteTimeoutMs,
    graceMs: resolved.graceMs,
    maxPerUser: resolved.maxPerUser,
    revocation,
  }
}
