export type { Schema, SchemaIssue, SchemaResult } from '@scale/core'
export { type Algorithm, algorithms } from './algorithms.js'
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
export type { AccessTokenClaims } from './claims.js'
export { type Dpop, dpop, type ProofOutcome } from './dpop/dpop.js'
export { type DpopOptions, dpopDefaults } from './dpop/options.js'
export type { ProofRefusal } from './dpop/proof.js'
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
export type {
  Family,
  FamilyRotation,
  FamilyStore,
  ListedFamily,
  NewFamily,
  RotateOutcome,
} from './family-store.js'
export {
  type Guard,
  type RequireAuthTimeOptions,
  requireAuthTime,
  requireClaims,
  requireScope,
} from './guards.js'
export { type Introspection, introspection } from './introspection/introspection.js'
export { type IntrospectionOptions, introspectionDefaults } from './introspection/options.js'
export {
  type Device,
  type FamilyInfo,
  type SignIn,
  type TokenIssuer,
  type TokenResponse,
  tokenIssuer,
  type UserFamilies,
} from './issuer.js'
export { type TokenIssuerOptions, tokenIssuerDefaults } from './issuer-options.js'
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
export {
  type ProtectedResourceOptions,
  protectedResource,
  protectedResourceDefaults,
} from './protected-resource.js'
export type { FamilyRef } from './refresh-token.js'
export type { ReplayStore } from './replay-store.js'
export { type Revocation, revocation, type UserClaims } from './revocation.js'
export { type RevocationOptions, revocationDefaults } from './revocation-options.js'
export type { Mark, RevocationStore } from './revocation-store.js'
export { type MemoryFamilyStoreOptions, memoryFamilyStore } from './stores/memory-family.js'
export { type MemoryReplayStoreOptions, memoryReplayStore, ReplayStoreFull } from './stores/memory-replay.js'
export { type MemoryRevocationStoreOptions, memoryRevocationStore } from './stores/memory-revocation.js'
export { type RedisFamilyStoreOptions, redisFamilyStore } from './stores/redis-family.js'
export { type RedisReplayStoreOptions, redisReplayStore } from './stores/redis-replay.js'
export { type RedisRevocationStoreOptions, redisRevocationStore } from './stores/redis-revocation.js'
export type { Auth } from './verifier.js'
