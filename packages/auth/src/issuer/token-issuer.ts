import { randomUUID } from 'node:crypto'
import { string } from '@scale/core'
import { SignJWT } from 'jose'
import { issuedChannel, refreshedChannel, reuseChannel, revokedChannel } from '../channels.js'
import { AuthMisuse, InvalidGrant } from '../errors.js'
import { scopeToken } from '../http/challenge.js'
import type { Family } from '../stores/family-store.js'
import { isThumbprint } from '../verification/claims.js'
import { resolveTokenIssuerOptions, type TokenIssuerConfig, type TokenIssuerOptions } from './options.js'
import {
  digestOf,
  type FamilyRef,
  isFamilyId,
  isRefreshToken,
  newNonce,
  newRefreshToken,
  refOf,
  successorOf,
  userTag,
} from './refresh-token.js'

/** A sign-in, as the app has judged it. */
export interface SignIn {
  /** Becomes `sub`. 1–256 characters. */
  userId: string
  /** Becomes `client_id`. Default: that of the issuer */
  clientId?: string
  /** Becomes `scope`. */
  scope?: readonly string[]
  /** How strongly the user authenticated: becomes `acr`. */
  acr?: string
  /** More claims, JSON, kept with the family. None that RFC 9068 gives a meaning. */
  claims?: Readonly<Record<string, unknown>>
  /**
   * Thumbprint of the key that its client has proved to have: `await proofs.clientKey(req, res)`. Then its access tokens are bound
   * to that key, and its refresh tokens can be exchanged with a proof of that key only. Default: it is bound to none
   */
  clientKey?: string | undefined
  /** Where it came from, for the list of a user's devices. */
  device?: Device
}

/** What a user knows a device by. */
export interface Device {
  /** Network address. */
  address?: string
  /** `User-Agent`, cut to 256 characters. */
  agent?: string
  /** A name that the user gave it, cut to 256 characters. */
  name?: string
}

/** What a client is answered, in the form of RFC 6749 §5.1. Send it with `Cache-Control: no-store`. */
export interface TokenResponse {
  readonly access_token: string
  /** `DPoP`: the access token needs a proof at each use. */
  readonly token_type: 'Bearer' | 'DPoP'
  /** Life of the access token, in seconds. */
  readonly expires_in: number
  readonly refresh_token: string
  /** Words between spaces; `undefined` if nothing was granted by name. */
  readonly scope?: string
}

/** One line of the list of a user's sign-ins. Instants by the store's clock, in epoch ms. */
export interface FamilyInfo {
  /** Public: ends it by `revoke(id)`; the claim `sid` of its access tokens. */
  readonly id: string
  readonly createdAt: number
  /** Of the last refresh. */
  readonly refreshedAt: number
  /** Its absolute end. */
  readonly expiresAt: number
  readonly device: Device
}

/** All sign-ins of one user. Every call may reject with the store's error. */
export interface UserFamilies {
  /**
   * Those that are alive, the last used first.
   *
   * @param options.limit  1–10,000. Default 100
   * @param options.after  `id` of the last one of the page before. Default: from the first
   */
  list(options?: { limit?: number; after?: string }): Promise<FamilyInfo[]>
  /** Ends one, and takes its access tokens back. If that fails, ask again. @returns false if the user has no such family */
  revoke(id: string): Promise<boolean>
  /** Ends all, in one step, and takes their access tokens back. If that fails, ask again. @returns how many */
  revokeAll(): Promise<number>
}

/** Makes access and refresh tokens for an app's own clients. Every call may reject with the store's error. */
export interface TokenIssuer {
  /** Begins a family: a first pair of tokens. */
  issue(signIn: SignIn): Promise<TokenResponse>
  /**
   * Exchanges a refresh token for a new pair. Two that come at once, or one that is repeated within the grace because the
   * answer was lost, are given the same successor. One that is used again later ends the family: somebody has a copy.
   *
   * @param refreshToken  as the client sent it; anything else is refused without asking the store
   * @param options.clientKey  thumbprint of the key that the client has proved to have, as in {@link SignIn}: the access token is bound
   *   to it. Default none
   * @throws {InvalidGrant} it opens nothing, or not with this key
   */
  refresh(
    refreshToken: unknown,
    options?: { readonly clientKey?: string | undefined },
  ): Promise<TokenResponse>
  /**
   * Ends the family of a refresh token: a logout. If it fails, ask again: it can be done until it held.
   *
   * @returns false if it opened nothing
   */
  revoke(refreshToken: unknown): Promise<boolean>
  /** The sign-ins of a user. */
  of(userId: string): UserFamilies
}

/** What was granted, as it is stored with the family. */
interface Grant {
  clientId: string
  scope?: string
  acr?: string
  claims?: Readonly<Record<string, unknown>>
}

const OWN_CLAIMS = new Set([
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'client_id',
  'scope',
  'auth_time',
  'acr',
  'sid',
  'cnf',
])
const userIdText = string(1, 256)

/**
 * An authorization server for an app's own clients: short access tokens (JWT, RFC 9068), and opaque refresh tokens that
 * are exchanged at every use. The store has nothing that opens anything.
 *
 * @throws {InvalidOption} an option is wrong or missing
 * @throws {MemoryStoreRefused} there is no `redis`, and more than one process is likely
 * @see RFC 9700 §4.14.2 · docs/concepts/tokens.md
 */
export function tokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const config = resolveTokenIssuerOptions(options)
  const { store, revocation, issuer } = config

  return {
    issue: async (signIn) => {
      const { userId, grant, device } = checked(config, signIn)
      const clientKey = checkedKey(signIn.clientKey)
      const token = newRefreshToken(userId)
      const ref = refOf(token)
      const nowMs = await store.create(ref, {
        digest: digestOf(token),
        userId,
        idleTimeoutMs: config.idleTimeoutMs,
        absoluteTimeoutMs: config.absoluteTimeoutMs,
        grant: JSON.stringify(grant),
        device,
        boundTo: clientKey,
        maxPerUser: config.maxPerUser,
      })
      if (issuedChannel.hasSubscribers) issuedChannel.publish({ id: ref.id, userId })
      const expiresAt = nowMs + config.absoluteTimeoutMs
      const family = { userId, createdAt: nowMs, expiresAt, grant: '' }
      return respond(config, ref, family, grant, { nowMs, refreshToken: token, clientKey })
    },
    refresh: async (refreshToken, { clientKey } = {}) => {
      const provedKey = checkedKey(clientKey)
      if (!isRefreshToken(refreshToken)) throw new InvalidGrant()
      const ref = refOf(refreshToken)
      const nonce = newNonce()
      const successor = successorOf(refreshToken, nonce)
      const result = await store.rotate(ref, digestOf(refreshToken), {
        digest: digestOf(successor),
        nonce,
        graceMs: config.graceMs,
        provedKey,
      })
      if (result.outcome === 'reused') await reused(config, ref, result.userId)
      if (result.outcome !== 'rotated' && result.outcome !== 'repeated') throw new InvalidGrant()
      const { nowMs, family } = result
      const repeated = result.outcome === 'repeated'
      if (refreshedChannel.hasSubscribers) {
        refreshedChannel.publish({ id: ref.id, userId: family.userId, repeated })
      }
      const next = repeated ? successorOf(refreshToken, result.nonce) : successor
      const granted = JSON.parse(family.grant) as Grant
      return respond(config, ref, family, granted, { nowMs, refreshToken: next, clientKey: provedKey })
    },
    revoke: async (refreshToken) => {
      if (!isRefreshToken(refreshToken)) return false
      return endFamily(config, refOf(refreshToken))
    },
    of: (userId) => {
      const tag = userTag(userId)
      return {
        list: async ({ limit = 100, after } = {}) => {
          if (!Number.isInteger(limit) || limit < 1 || limit > 10_000) {
            throw new AuthMisuse('list: `limit` must be an integer from 1 to 10,000.')
          }
          if (after !== undefined && !isFamilyId(after)) return []
          const families = await store.list(tag, limit, after)
          return families.map((family) => ({ ...family, device: JSON.parse(family.device) as Device }))
        },
        revoke: async (id) => isFamilyId(id) && (await endFamily(config, { tag, id })),
        revokeAll: async () => {
          const { count, nowMs } = await store.endAll(tag)
          // By the clock that their access tokens were made by.
          await revocation?.revokeUser({ iss: issuer, sub: userId }, { at: nowMs })
          if (revokedChannel.hasSubscribers) revokedChannel.publish({ what: 'user', userId })
          return count
        },
      }
    },
  }
}

/** @throws {AuthMisuse} something of a sign-in cannot be put into a token */
function checked(
  config: TokenIssuerConfig,
  { userId, clientId = config.clientId, scope, acr, claims, device = {} }: SignIn,
): { userId: string; grant: Grant; device: string } {
  if (userIdText(userId) !== undefined) throw new AuthMisuse('issue: `userId` must have 1 to 256 characters.')
  const wrong = Object.keys(claims ?? {}).filter((name) => OWN_CLAIMS.has(name))
  if (wrong.length > 0) throw new AuthMisuse(`issue: these claims are not yours to set: ${wrong.join(', ')}.`)
  if (scope?.some((one) => scopeToken(one) !== undefined)) {
    throw new AuthMisuse('issue: each `scope` must be a scope of RFC 6749 §3.3.')
  }
  const { address, agent, name } = device
  return {
    userId,
    grant: {
      clientId,
      ...(scope === undefined ? {} : { scope: scope.join(' ') }),
      ...(acr === undefined ? {} : { acr }),
      ...(claims === undefined ? {} : { claims }),
    },
    device: JSON.stringify({ address, agent: agent?.slice(0, 256), name: name?.slice(0, 256) }),
  }
}

/** @returns empty: none. @throws {AuthMisuse} it is no thumbprint */
function checkedKey(clientKey: string | undefined): string {
  if (clientKey === undefined || isThumbprint(clientKey)) return clientKey ?? ''
  throw new AuthMisuse('tokenIssuer: `clientKey` must be the SHA-256 thumbprint of a key, in base64url.')
}

/** What is new in each pair of tokens. */
interface Made {
  readonly nowMs: number
  readonly refreshToken: string
  /** Empty: none. */
  readonly clientKey: string
}

async function respond(
  { issuer, audience, keys, accessTtlMs }: TokenIssuerConfig,
  { id }: FamilyRef,
  { userId, createdAt, expiresAt }: Family,
  { clientId, scope, acr, claims }: Grant,
  { nowMs, refreshToken, clientKey }: Made,
): Promise<TokenResponse> {
  const { kid, algorithm, privateKey } = keys.current()
  const iat = Math.floor(nowMs / 1_000)
  // No access token outlives its family.
  const exp = Math.floor(Math.min(nowMs + accessTtlMs, expiresAt) / 1_000)
  const accessToken = await new SignJWT({
    ...claims,
    iss: issuer,
    sub: userId,
    aud: audience as string,
    client_id: clientId,
    iat,
    exp,
    jti: randomUUID(),
    sid: id,
    auth_time: Math.floor(createdAt / 1_000),
    ...(scope === undefined ? {} : { scope }),
    ...(acr === undefined ? {} : { acr }),
    ...(clientKey === '' ? {} : { cnf: { jkt: clientKey } }),
  })
    .setProtectedHeader({ alg: algorithm, kid, typ: 'at+jwt' })
    .sign(privateKey)
  return {
    access_token: accessToken,
    token_type: clientKey === '' ? 'Bearer' : 'DPoP',
    expires_in: exp - iat,
    refresh_token: refreshToken,
    ...(scope === undefined ? {} : { scope }),
  }
}

/** The family is dead already. Whoever comes with any token of it again has this done again, until it held. */
async function reused(config: TokenIssuerConfig, ref: FamilyRef, userId: string): Promise<void> {
  if (reuseChannel.hasSubscribers) reuseChannel.publish({ id: ref.id, userId })
  await takeBack(config, ref, userId)
}

async function endFamily(config: TokenIssuerConfig, ref: FamilyRef): Promise<boolean> {
  const userId = await config.store.end(ref)
  if (userId === undefined) return false
  await takeBack(config, ref, userId)
  if (revokedChannel.hasSubscribers) revokedChannel.publish({ what: 'family', userId })
  return true
}

/** Takes back the access tokens of a family that has ended; only then is it forgotten that there was one. */
async function takeBack(
  { store, revocation, issuer }: TokenIssuerConfig,
  ref: FamilyRef,
  userId: string,
): Promise<void> {
  await revocation?.revokeFamily({ iss: issuer, sub: userId, sid: ref.id })
  await store.forget(ref)
}
