import {
  assertMemoryStoreAllowed,
  boolean,
  durationMs,
  func,
  InvalidOption,
  type OptionChecks,
  object,
  oneOf,
  resolveOptions,
} from '@scale/core'
import { keyPrefix, type RedisClient, redisClient } from '@scale/redis'
import { memoryRevocationStore } from '../stores/memory-revocation.js'
import { redisRevocationStore } from '../stores/redis-revocation.js'
import type { RevocationStore } from '../stores/revocation-store.js'

/** What `revocation` takes. */
export interface RevocationOptions {
  /** An ioredis client, yours to close. Default: marks stay in this process, where that is safe */
  redis?: RedisClient
  /** Another store. Default: made of `redis` */
  store?: RevocationStore
  /**
   * The longest life of a token, in ms, up to 30 days: marks are kept that long, and a token that lives longer is refused,
   * because its revocation would be forgotten before its end. Default 86,400,000 (24 h)
   */
  maxTokenLifeMs?: number
  /**
   * How far the clocks of those who make tokens may be ahead of the store's, in ms, 0–300,000: `revokeUser` takes back what was
   * made up to so much later. For families of `tokenIssuer` it does not count, whose clock is the store's. Default 10,000
   */
  clockToleranceMs?: number
  /** When the store does not answer: 503, or accept the token unasked. Default `reject` */
  onStoreError?: 'reject' | 'accept'
  /** Sets apps on one Redis apart. Default `scale` */
  prefix?: string
  /** Longest wait for a reply of Redis, in ms, 1–60,000. Default: the client's `patienceMs`, 1,000 */
  deadlineMs?: number
  /** Allows marks in this process also in production and in a cluster worker. Default false */
  allowMemoryStore?: boolean
  /** For tests: the time, in ms. Default: the store's own clock */
  clock?: () => number
}

/** The defaults of {@link RevocationOptions}. */
export const revocationDefaults: Readonly<
  Required<
    Pick<
      RevocationOptions,
      'maxTokenLifeMs' | 'clockToleranceMs' | 'onStoreError' | 'prefix' | 'allowMemoryStore'
    >
  >
> = Object.freeze({
  maxTokenLifeMs: 86_400_000,
  clockToleranceMs: 10_000,
  onStoreError: 'reject',
  prefix: 'scale',
  allowMemoryStore: false,
})

const checks: OptionChecks<RevocationOptions> = {
  redis: redisClient,
  store: object,
  maxTokenLifeMs: durationMs(1_000, 2_592_000_000),
  clockToleranceMs: durationMs(0, 300_000),
  onStoreError: oneOf('reject', 'accept'),
  prefix: keyPrefix,
  deadlineMs: durationMs(1, 60_000),
  allowMemoryStore: boolean,
  clock: func,
}

/** What `revocation` works with. */
export interface RevocationConfig {
  readonly store: RevocationStore
  readonly maxTokenLifeMs: number
  readonly onStoreError: 'reject' | 'accept'
  readonly clockToleranceMs: number
}

/** @throws {InvalidOption} @throws {MemoryStoreRefused} */
export function resolveRevocationOptions(options: RevocationOptions | undefined): RevocationConfig {
  const resolved = resolveOptions('revocation', options, { checks, defaults: revocationDefaults })
  const { redis, store, prefix, deadlineMs, maxTokenLifeMs, clockToleranceMs, onStoreError } = resolved
  const clock = resolved.clock === undefined ? {} : { clock: resolved.clock }
  if (store !== undefined && redis !== undefined) {
    throw new InvalidOption('revocation: give `redis` or `store`, not both.')
  }
  if (store === undefined && redis === undefined) {
    assertMemoryStoreAllowed('revocation', resolved.allowMemoryStore)
  }
  const made =
    redis === undefined
      ? memoryRevocationStore(clock)
      : redisRevocationStore({ redis, prefix, ...clock, ...(deadlineMs === undefined ? {} : { deadlineMs }) })
  return { store: store ?? made, maxTokenLifeMs, clockToleranceMs, onStoreError }
}
