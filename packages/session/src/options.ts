import {
  anyOf,
  arrayOf,
  assertMemoryStoreAllowed,
  boolean,
  durationMs,
  InvalidOption,
  integer,
  number,
  type OptionChecks,
  object,
  oneOf,
  resolveOptions,
  type Schema,
  standardSchema,
} from '@scale/core'
import { keyPrefix, type RedisClient, redisClient } from '@scale/redis'
import { type Codec, plainCodec } from './data/codec.js'
import { keyBytes, sealedCodec } from './data/encryption.js'
import { keysOf } from './data/schema-keys.js'
import type { SessionMigration, SharedSessions } from './migration/connect-redis.js'
import { PlaceMarks } from './request/place-marks.js'
import { type Places, sharedPlaces, tokenPlaces } from './request/places.js'
import type { SessionQuota, SessionStore } from './store.js'
import { memoryStore } from './stores/memory.js'
import { redisStore } from './stores/redis.js'
import { cookie } from './transports/cookie.js'
import type { Transport } from './transports/transport.js'

/** A key of the ring. */
export interface EncryptionKey {
  /** Names the key in what is stored: 1–32 letters, digits, `_` or `-`. */
  id: string
  /** 32 random bytes, as such or in base64. */
  key: string | Uint8Array
}

/** Encrypts the data, address and agent with AES-256-GCM. Key names of the data and the user id stay readable. */
export interface EncryptionOptions {
  /** The first seals, all of them open: put a new key first, and remove an old one when its last session is over. */
  keys: readonly EncryptionKey[]
  /** Also reads what was stored before encryption was switched on. Default false */
  acceptPlain?: boolean
}

/** What `session` takes. */
export interface SessionOptions<Data extends object = Record<string, unknown>> {
  /** An ioredis client, yours to close. Default: sessions stay in this process, where that is safe */
  redis?: RedisClient
  /** Another store. Default: made of `redis` */
  store?: SessionStore
  /** What `req.session.data` is; must accept `{}`, with which a session begins. Default: any JSON object */
  schema?: Schema<Data>
  /** Takes over the sessions of another package at their next use, as `connectRedis(…)`. Default none */
  migrateFrom?: SessionMigration
  /** How the token travels; of several, the first that the request carries counts. Default `cookie()` */
  transport?: Transport | readonly Transport[]
  /** A session that nobody uses ends after this, in ms. Default 1,800,000 (30 min) */
  idleTimeoutMs?: number
  /** Every session ends after this, in ms. Default 43,200,000 (12 h) */
  absoluteTimeoutMs?: number
  /** A token in a cookie is replaced at the first use after this, in ms; `false`: never. Default 3,600,000 (1 h) */
  renewAfterMs?: number | false
  /**
   * A replaced token opens the session until its successor was used, and then for this long, in ms, for requests that
   * were on their way. 0–600,000. Default 10,000
   */
  renewGraceMs?: number
  /**
   * When a replaced token comes back after that: it opens nothing, or the session ends for all, because one of the two
   * that have it may be a thief. Default `refuse`
   */
  onTokenReuse?: 'refuse' | 'revoke'
  /**
   * The last use is written down when this share of `idleTimeoutMs` has passed since it last was: the session may
   * end that much early. 0 (on every request) to 0.5. Default 0.1
   */
  touchAfterRatio?: number
  /**
   * `awaited`: an answer goes out when what its request changed is stored, and says so if that failed. `background`: it
   * does not wait; what then fails, or dies with the process, is lost behind a 200. Default `awaited`
   */
  save?: 'awaited' | 'background'
  /** When two requests change one top-level key: see the README. Default `merge` */
  conflict?: 'merge' | 'fail' | 'last'
  /** When the store does not answer: 503, or go on without a session. Default `reject` */
  onStoreError?: 'reject' | 'anonymous'
  /** A cap on the sessions of one user. Default none */
  maxPerUser?: SessionQuota
  /** Keeps address and agent of the client that logged in, for the list of sessions. Default true */
  clientInfo?: boolean
  /** Size of the data as JSON above which a save is refused, in bytes. 1,024–16,777,216. Default 65,536 */
  maxDataBytes?: number
  /** Encrypts what is stored. Default none */
  encryption?: EncryptionOptions
  /** Sets apps on one Redis apart. Default `scale` */
  prefix?: string
  /** Longest wait for a reply of Redis, in ms, 1–60,000. Default: the client's `patienceMs`, 1,000 */
  deadlineMs?: number
  /** Allows sessions in this process also in production and in a cluster worker. Default false */
  allowMemoryStore?: boolean
}

type WithDefault =
  | 'idleTimeoutMs'
  | 'absoluteTimeoutMs'
  | 'renewAfterMs'
  | 'renewGraceMs'
  | 'onTokenReuse'
  | 'touchAfterRatio'
  | 'save'
  | 'conflict'
  | 'onStoreError'
  | 'clientInfo'
  | 'maxDataBytes'
  | 'prefix'
  | 'allowMemoryStore'

/** The defaults of {@link SessionOptions}. */
export const sessionDefaults: Readonly<Required<Pick<SessionOptions, WithDefault>>> = Object.freeze({
  idleTimeoutMs: 1_800_000,
  absoluteTimeoutMs: 43_200_000,
  renewAfterMs: 3_600_000,
  renewGraceMs: 10_000,
  onTokenReuse: 'refuse',
  touchAfterRatio: 0.1,
  save: 'awaited',
  conflict: 'merge',
  onStoreError: 'reject',
  clientInfo: true,
  maxDataBytes: 65_536,
  prefix: 'scale',
  allowMemoryStore: false,
})

const TEN_YEARS_MS = 315_360_000_000

/** A session's own timeouts. */
export const timeoutMs: (value: unknown) => string | undefined = durationMs(1, TEN_YEARS_MS)

const never = (value: unknown): string | undefined => (value === false ? undefined : 'false')

const transport = (value: unknown): string | undefined =>
  typeof (value as Partial<Transport> | null)?.read === 'function' ? undefined : '`cookie(…)` or `bearer(…)`'

const checks: OptionChecks<SessionOptions> = {
  redis: redisClient,
  store: object,
  schema: standardSchema,
  migrateFrom: object,
  transport: anyOf(transport, arrayOf(transport, 1)),
  idleTimeoutMs: timeoutMs,
  absoluteTimeoutMs: timeoutMs,
  renewAfterMs: anyOf(timeoutMs, never),
  renewGraceMs: durationMs(0, 600_000),
  onTokenReuse: oneOf('refuse', 'revoke'),
  touchAfterRatio: number(0, 0.5),
  save: oneOf('awaited', 'background'),
  conflict: oneOf('merge', 'fail', 'last'),
  onStoreError: oneOf('reject', 'anonymous'),
  maxPerUser: (value) => {
    const { quota, evict } = (value ?? {}) as Partial<SessionQuota>
    const isGood = integer(1, 10_000)(quota) === undefined && oneOf('oldest', 'reject')(evict) === undefined
    return isGood ? undefined : "`{ quota, evict }`, with a quota from 1 to 10,000 and 'oldest' or 'reject'"
  },
  clientInfo: boolean,
  maxDataBytes: integer(1_024, 16_777_216),
  encryption: object,
  prefix: keyPrefix,
  deadlineMs: durationMs(1, 60_000),
  allowMemoryStore: boolean,
}

/** What every part of the package works with. */
export interface SessionConfig {
  readonly store: SessionStore
  readonly transports: readonly Transport[]
  readonly marks: PlaceMarks
  /** Where new sessions are stored. */
  readonly places: Places
  readonly migration: SessionMigration | undefined
  /** For sessions that are shared with another package: the same with its store and its cookie. */
  readonly shared: SessionConfig | undefined
  readonly codec: Codec
  readonly schema: Schema<object> | undefined
  readonly idleTimeoutMs: number
  readonly absoluteTimeoutMs: number
  readonly renewAfterMs: number | false
  readonly renewGraceMs: number
  readonly onTokenReuse: 'refuse' | 'revoke'
  readonly touchAfterRatio: number
  readonly save: 'awaited' | 'background'
  readonly conflict: 'merge' | 'fail' | 'last'
  readonly onStoreError: 'reject' | 'anonymous'
  readonly maxPerUser: SessionQuota | undefined
  readonly clientInfo: boolean
  readonly maxDataBytes: number
}

/** @throws {InvalidOption} @throws {MemoryStoreRefused} */
export function resolveSessionOptions<Data extends object>(
  options: SessionOptions<Data> | undefined,
): SessionConfig {
  const given = options as SessionOptions | undefined
  const resolved = resolveOptions('session', given, { checks, defaults: sessionDefaults })
  if (resolved.idleTimeoutMs > resolved.absoluteTimeoutMs) {
    throw new InvalidOption('session: `idleTimeoutMs` must not be above `absoluteTimeoutMs`.')
  }
  const unused = (['redis', 'prefix', 'deadlineMs'] as const).find((name) => given?.[name] !== undefined)
  if (resolved.store !== undefined && unused !== undefined) {
    throw new InvalidOption(`session: give \`store\` or \`${unused}\`, not both.`)
  }
  refuseSchema(resolved.schema)
  const { transport = cookie() } = resolved
  const transports = Array.isArray(transport) ? transport : [transport as Transport]
  if (resolved.migrateFrom !== undefined && !transports.some(({ issue }) => issue !== undefined)) {
    throw new InvalidOption('session: `migrateFrom` needs `cookie(…)` among the transports.')
  }
  const store = resolved.store ?? storeOf(resolved)
  const marks = new PlaceMarks(store)
  // An answer that does not wait needs it at hand; if it is not, it waits.
  if (resolved.save === 'background') marks.key().catch(() => {})
  const config: SessionConfig = {
    store,
    marks,
    places: tokenPlaces(marks),
    shared: undefined,
    transports,
    migration: resolved.migrateFrom,
    codec: codecOf(resolved.encryption),
    schema: resolved.schema,
    idleTimeoutMs: resolved.idleTimeoutMs,
    absoluteTimeoutMs: resolved.absoluteTimeoutMs,
    renewAfterMs: resolved.renewAfterMs,
    renewGraceMs: resolved.renewGraceMs,
    onTokenReuse: resolved.onTokenReuse,
    touchAfterRatio: resolved.touchAfterRatio,
    save: resolved.save,
    conflict: resolved.conflict,
    onStoreError: resolved.onStoreError,
    maxPerUser: resolved.maxPerUser,
    clientInfo: resolved.clientInfo,
    maxDataBytes: resolved.maxDataBytes,
  }
  const shared = resolved.migrateFrom?.shared
  return shared === undefined ? config : { ...config, shared: sharedConfig(config, shared, resolved.prefix) }
}

/** What works with sessions of express-session where they are: nothing that its copies could not read or would not keep. */
function sharedConfig(config: SessionConfig, shared: SharedSessions, prefix: string): SessionConfig {
  const refused =
    config.maxPerUser !== undefined
      ? '`maxPerUser`'
      : !config.codec.isPlain
        ? '`encryption`'
        : config.transports.some(({ issue }) => issue === undefined)
          ? 'a transport without a cookie'
          : undefined
  if (refused !== undefined) {
    throw new InvalidOption(
      `session: sessions that are \`shared\` with express-session cannot have ${refused}: add it when \`shared\` is gone.`,
    )
  }
  const { store: taken, idleTimeoutMs, absoluteTimeoutMs } = config
  const store = shared.store({ taken, prefix, idleTimeoutMs, absoluteTimeoutMs })
  const marks = new PlaceMarks(store)
  return {
    ...config,
    store,
    marks,
    places: sharedPlaces,
    transports: [shared.transport],
    migration: undefined,
    renewAfterMs: false,
  }
}

/** The defaults of {@link EncryptionOptions}. */
export const encryptionDefaults: Readonly<{ acceptPlain: boolean }> = Object.freeze({ acceptPlain: false })

const encryptionKey = (value: unknown): string | undefined => {
  const { id, key } = (value ?? {}) as Partial<EncryptionKey>
  const isNamed = typeof id === 'string' && /^[\w-]{1,32}$/.test(id)
  const isKey = (typeof key === 'string' || key instanceof Uint8Array) && keyBytes(key).length === 32
  return isNamed && isKey ? undefined : '`{ id, key }`, with 32 bytes of key, as such or in base64'
}

function codecOf(options: EncryptionOptions | undefined): Codec {
  if (options === undefined) return plainCodec
  const resolved = resolveOptions('session: encryption', options, {
    checks: { keys: arrayOf(encryptionKey, 1), acceptPlain: boolean },
    defaults: encryptionDefaults,
    required: ['keys'],
  })
  if (new Set(resolved.keys.map(({ id }) => id)).size < resolved.keys.length) {
    throw new InvalidOption('session: encryption: two keys have the same `id`.')
  }
  return sealedCodec(resolved)
}

/** A session begins with `{}`, and its data is read in the middle of a line of code: that cannot wait. */
function refuseSchema(schema: Schema<object> | undefined): void {
  const result = schema?.['~standard'].validate({})
  if (result instanceof Promise) throw new InvalidOption('session: `schema` must not be asynchronous.')
  if (result?.issues === undefined) return
  const keys = keysOf(result.issues).join(', ')
  throw new InvalidOption(
    `session: \`schema\` must accept \`{}\`, with which every session begins${keys && `; make these optional: ${keys}`}.`,
  )
}

function storeOf(options: {
  redis?: RedisClient
  prefix: string
  deadlineMs?: number
  allowMemoryStore: boolean
}): SessionStore {
  const { redis, prefix, deadlineMs, allowMemoryStore } = options
  if (redis !== undefined) {
    return redisStore({ redis, prefix, ...(deadlineMs === undefined ? {} : { deadlineMs }) })
  }
  assertMemoryStoreAllowed('session', allowMemoryStore)
  return memoryStore()
}
