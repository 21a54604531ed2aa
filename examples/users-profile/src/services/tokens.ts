import {
  type AccessTokens,
  accessToken,
  revocation,
  type SigningKeys,
  signingKeys,
  type TokenIssuer,
  tokenIssuer,
} from '@scale/auth'
import type { RedisClient } from '@scale/redis'
import type { Config } from '../config.js'

/** Access and refresh tokens, for clients that want no session. */
export interface Tokens {
  keys: SigningKeys
  issuer: TokenIssuer
  /** Lets requests pass that carry a good access token. */
  required: AccessTokens
}

/** With an issuer that others discover this is its https: address. */
const ISSUER = 'users-profile'

/** @param redis  `undefined`: everything stays in this process, which is all there is */
export function tokens(config: Config, redis: RedisClient | undefined): Tokens {
  const store = redis === undefined ? { allowMemoryStore: true } : { redis }
  const keys = signingKeys(config.JWT_PRIVATE_KEY!)
  const revoked = revocation(store)
  const who = { issuer: ISSUER, audience: ISSUER }
  return {
    keys,
    issuer: tokenIssuer({ ...who, ...store, keys, revocation: revoked }),
    required: accessToken({ ...who, keys, algorithms: [keys.current().algorithm], revocation: revoked }),
  }
}
