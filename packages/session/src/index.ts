export type { Schema, SchemaIssue, SchemaResult } from '@scale/core'
export {
  type ConflictMessage,
  type CreatedMessage,
  conflictChannel,
  createdChannel,
  type DestroyedMessage,
  destroyedChannel,
  type FailureMessage,
  failureChannel,
  type OpenedMessage,
  openedChannel,
  type RefusalReason,
  type RefusedMessage,
  type RenewedMessage,
  type RevokedMessage,
  refusedChannel,
  renewedChannel,
  revokedChannel,
  type SessionMessage,
  type UnreadableMessage,
  unreadableChannel,
} from './channels.js'
export {
  InvalidSessionData,
  SessionConflict,
  SessionEnded,
  SessionMisuse,
  SessionRequired,
  TooManySessions,
} from './errors.js'
export { type Sessions, session } from './middleware.js'
export {
  type ConnectRedisOptions,
  connectRedis,
  type OldSession,
  type OldSessionKey,
  type SessionMigration,
  type SharedOptions,
  type SharedSessions,
} from './migration/connect-redis.js'
export type { SharedStoreSetting } from './migration/shared/store.js'
export {
  type EncryptionKey,
  type EncryptionOptions,
  encryptionDefaults,
  type SessionOptions,
  sessionDefaults,
} from './options.js'
export {
  type LoggedInSession,
  loggedIn,
  requireSession,
  type SessionGuard,
} from './request/require-session.js'
export type {
  IssuedToken,
  LoginOptions,
  Session,
  SessionCallback,
  SessionCookie,
  SessionData,
} from './session.js'
export type {
  Change,
  CreateOutcome,
  ListedSession,
  Loading,
  NewSession,
  PlaceMark,
  Rotation,
  SessionQuota,
  SessionStore,
  SessionWrite,
  TokenUse,
  WriteOutcome,
  Writer,
} from './store.js'
export { type MemoryStoreOptions, memoryStore } from './stores/memory.js'
export type { LoadedSession, PreviousToken, SessionRecord, StoredValue } from './stores/record.js'
export { type RedisStoreOptions, redisStore } from './stores/redis.js'
export type { SessionRef } from './stores/token.js'
export { type BearerOptions, bearer } from './transports/bearer.js'
export { type CookieOptions, cookie, cookieDefaults } from './transports/cookie.js'
export type { CookieAttributes, Transport } from './transports/transport.js'
export type { SessionInfo, UserSessions } from './user-sessions.js'
