export type { Schema, SchemaIssue, SchemaResult } from '@scale/core'
export { type BearerOptions, bearer } from './bearer.js'
export {
  type ConflictMessage,
  type CreatedMessage,
  conflictChannel,
  createdChannel,
  type DestroyedMessage,
  destroyedChannel,
  type FailureMessage,
  failureChannel,
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
export { type CookieOptions, cookie, cookieDefaults } from './cookie.js'
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
  type OldSessionKey,
  type SessionMigration,
} from './migration.js'
export {
  type EncryptionKey,
  type EncryptionOptions,
  encryptionDefaults,
  type SessionOptions,
  sessionDefaults,
} from './options.js'
export type { LoadedSession, PreviousToken, SessionRecord, StoredValue } from './record.js'
export { type LoggedInSession, loggedIn, requireSession } from './require-session.js'
export type { IssuedToken, LoginOptions, Session, SessionCallback, SessionData } from './session.js'
export type {
  Change,
  CreateOutcome,
  ListedSession,
  NewSession,
  RotateOutcome,
  Rotation,
  SaveOutcome,
  SessionQuota,
  SessionStore,
} from './store.js'
export { type MemoryStoreOptions, memoryStore } from './stores/memory.js'
export { type RedisStoreOptions, redisStore } from './stores/redis.js'
export type { SessionRef } from './token.js'
export type { Transport } from './transport.js'
export type { SessionInfo, UserSessions } from './user-sessions.js'
