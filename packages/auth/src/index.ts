export type { Schema, SchemaIssue, SchemaResult } from '@scale/core'
export {
  type FamilyMessage,
  type IntrospectionMessage,
  introspectionChannel,
  issuedChannel,
  type KeySetMessage,
  keySetChannel,
  type RefreshedMessage,
  type RefusedMessage,
  type ReplayFailureMessage,
  type RevocationFailureMessage,
  type RevokedMessage,
  refreshedChannel,
  refusedChannel,
  replayFailureChannel,
  reuseChannel,
  revocationFailureChannel,
  revokedChannel,
} from './channels.js'
export {
  AuthMisuse,
  InsufficientAuthentication,
  InsufficientScope,
  IntrospectionUnavailable,
  InvalidAuthorization,
  InvalidGrant,
  InvalidProof,
  InvalidToken,
  KeysUnavailable,
  PasswordsBusy,
  type TokenRefusal,
  TokenRequired,
  UnusableAnswer,
  UnusableKeySet,
  VerificationBusy,
} from './errors.js'
export { type Dpop, dpop, type ProofOutcome } from './http/dpop/dpop.js'
export { type DpopOptions, dpopDefaults } from './http/dpop/options.js'
export type { ProofRefusal } from './http/dpop/proof.js'
export {
  type Guard,
  type RequireAuthTimeOptions,
  requireAuthTime,
  requireClaims,
  requireScope,
} from './http/guards.js'
export {
  type ProtectedResourceOptions,
  protectedResource,
  protectedResourceDefaults,
} from './http/protected-resource.js'
export { type TokenIssuerOptions, tokenIssuerDefaults } from './issuer/options.js'
export type { FamilyRef } from './issuer/refresh-token.js'
export {
  type Device,
  type FamilyInfo,
  type SignIn,
  type TokenIssuer,
  type TokenResponse,
  tokenIssuer,
  type UserFamilies,
} from './issuer/token-issuer.js'
export { type JwksOptions, jwks, jwksDefaults } from './keys/jwks-route.js'
export type { Jwk, Jwks, KeySet } from './keys/key-set.js'
export { localKeys } from './keys/local.js'
export { discoveredKeys, type RemoteKeys, remoteKeys } from './keys/remote.js'
export { type RemoteKeysOptions, remoteKeysDefaults } from './keys/remote-options.js'
export {
  type SigningKey,
  type SigningKeyOptions,
  type SigningKeys,
  type SigningKeysOptions,
  signingKeyDefaults,
  signingKeys,
  signingKeysDefaults,
} from './keys/signing.js'
export { type AccessTokens, accessToken } from './middleware.js'
export { type AccessTokenOptions, accessTokenDefaults, type TrustedIssuer } from './options.js'
export { type BcryptCompare, type PasswordsOptions, passwordsDefaults } from './passwords/options.js'
export { type PasswordCheck, type Passwords, passwords } from './passwords/passwords.js'
export type {
  Family,
  FamilyRotation,
  FamilyStore,
  ListedFamily,
  NewFamily,
  RotateOutcome,
} from './stores/family-store.js'
export { type MemoryFamilyStoreOptions, memoryFamilyStore } from './stores/memory-family.js'
export { type MemoryReplayStoreOptions, memoryReplayStore, ReplayStoreFull } from './stores/memory-replay.js'
export { type MemoryRevocationStoreOptions, memoryRevocationStore } from './stores/memory-revocation.js'
export { type RedisFamilyStoreOptions, redisFamilyStore } from './stores/redis-family.js'
export { type RedisReplayStoreOptions, redisReplayStore } from './stores/redis-replay.js'
export { type RedisRevocationStoreOptions, redisRevocationStore } from './stores/redis-revocation.js'
export type { ReplayStore } from './stores/replay-store.js'
export type { Mark, RevocationStore } from './stores/revocation-store.js'
export { type Algorithm, algorithms } from './verification/algorithms.js'
export type { AccessTokenClaims } from './verification/claims.js'
export { type Introspection, introspection } from './verification/introspection/introspection.js'
export { type IntrospectionOptions, introspectionDefaults } from './verification/introspection/options.js'
export { type Revocation, revocation, type UserClaims } from './verification/revocation.js'
export { type RevocationOptions, revocationDefaults } from './verification/revocation-options.js'
export type { Auth } from './verification/verifier.js'
