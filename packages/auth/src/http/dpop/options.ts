import type { IncomingMessage } from 'node:http'
import {
  anyOf,
  arrayOf,
  assertMemoryStoreAllowed,
  boolean,
  durationMs,
  func,
  InvalidOption,
  type OptionChecks,
  object,
  oneOf,
  resolveOptions,
  string,
} from '@scale/core'
import { keyPrefix, type RedisClient, redisClient } from '@scale/redis'
import { memoryReplayStore } from '../../stores/memory-replay.js'
import { redisReplayStore } from '../../stores/redis-replay.js'
import type { ReplayStore } from '../../stores/replay-store.js'
import { type Algorithm, algorithms, isSymmetric, mlDsa } from '../../verification/algorithms.js'
import { type BaseUrl, normalizedUrl } from './address.js'
import { type Nonces, nonces } from './nonces.js'

/** What `dpop` takes. */
export interface DpopOptions {
  /**
   * `required`: a token that is bound to no key is refused. `accepted`: plain bearer tokens pass beside bound ones; for the
   * time in which clients change. Default `required`
   */
  mode?: 'required' | 'accepted'
  /** Of proofs: public keys only. Default `["ES256","EdDSA","Ed25519","PS256","RS256"]` */
  algorithms?: readonly Algorithm[]
  /** How old a proof without a nonce may be, in ms. 1,000–600,000. Default 60,000 */
  maxAgeMs?: number
  /** How far clocks may be apart, in ms. 0–300,000. Default 10,000 */
  clockToleranceMs?: number
  /**
   * Has every proof carry a nonce of this server, so that none can be made in advance, and clocks of clients do not count:
   * secrets of 32 characters or more that all processes share. The first one signs; the others, which came before it, are
   * still accepted. Default none
   */
  nonceSecrets?: readonly string[]
  /** How long a nonce is good at most, in ms; at least half of it. 2,000–3,600,000. Default 300,000 */
  nonceLifeMs?: number
  /** An ioredis client, yours to close. Default: used proofs are remembered in this process, where that is safe */
  redis?: RedisClient
  /** Another store. Default: made of `redis` */
  store?: ReplayStore
  /** When the store does not answer: 503, or accept the proof though it may have been used. Default `reject` */
  onStoreError?: 'reject' | 'accept'
  /** Sets apps on one Redis apart. Default `scale` */
  prefix?: string
  /** Longest wait for a reply of Redis, in ms, 1–60,000. Default: the client's `patienceMs`, 1,000 */
  deadlineMs?: number
  /** Allows used proofs to be remembered in this process also in production and in a cluster worker. Default false */
  allowMemoryStore?: boolean
  /**
   * The address at which clients find this app, such as `https://api.example`, with the path that a proxy in front takes away,
   * if one does; or a function that tells it of a request. Say it: then no header field that a client may have written decides
   * for which host a proof is. Default: by Express' `trust proxy`, from `X-Forwarded-Proto` and `X-Forwarded-Host`, else `Host`
   */
  baseUrl?: string | ((req: IncomingMessage) => string | undefined)
  /** For tests: the time, in ms. Default `Date.now` */
  clock?: () => number
}

/** The defaults of {@link DpopOptions}. */
export const dpopDefaults: Readonly<
  Required<
    Pick<
      DpopOptions,
      | 'mode'
      | 'algorithms'
      | 'maxAgeMs'
      | 'clockToleranceMs'
      | 'nonceLifeMs'
      | 'onStoreError'
      | 'prefix'
      | 'allowMemoryStore'
    >
  >
> = Object.freeze({
  mode: 'required',
  algorithms: Object.freeze(['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const),
  maxAgeMs: 60_000,
  clockToleranceMs: 10_000,
  nonceLifeMs: 300_000,
  onStoreError: 'reject',
  prefix: 'scale',
  allowMemoryStore: false,
})

function baseAddress(value: unknown): string | undefined {
  const isAddress = typeof value === 'string' && normalizedUrl(value) !== undefined && !/[?#]/.test(value)
  return isAddress ? undefined : 'an http or https address without user, query and fragment'
}

const checks: OptionChecks<DpopOptions> = {
  mode: oneOf('required', 'accepted'),
  algorithms: arrayOf(oneOf(...algorithms.filter((one) => !isSymmetric(one) && !mlDsa.includes(one))), 1),
  maxAgeMs: durationMs(1_000, 600_000),
  clockToleranceMs: durationMs(0, 300_000),
  nonceSecrets: arrayOf(string(32, 1_024), 1),
  nonceLifeMs: durationMs(2_000, 3_600_000),
  redis: redisClient,
  store: object,
  onStoreError: oneOf('reject', 'accept'),
  prefix: keyPrefix,
  deadlineMs: durationMs(1, 60_000),
  allowMemoryStore: boolean,
  baseUrl: anyOf(func, baseAddress),
  clock: func,
}

/** What `dpop` works with. */
export interface DpopConfig {
  readonly mode: 'required' | 'accepted'
  readonly algorithms: readonly Algorithm[]
  readonly maxAgeMs: number
  readonly clockToleranceMs: number
  readonly nonces: Nonces | undefined
  /** For how long a proof could be used, so for how long it is remembered, in ms. */
  readonly rememberMs: number
  readonly store: ReplayStore
  readonly onStoreError: 'reject' | 'accept'
  readonly baseUrl: BaseUrl | undefined
  readonly clock: () => number
}

/** @throws {InvalidOption} @throws {MemoryStoreRefused} */
export function resolveDpopOptions(options: DpopOptions | undefined): DpopConfig {
  const resolved = resolveOptions('dpop', options, { checks, defaults: dpopDefaults })
  const { redis, store, prefix, deadlineMs, nonceSecrets, nonceLifeMs, maxAgeMs, clockToleranceMs } = resolved
  const { clock = Date.now } = resolved
  if (store !== undefined && redis !== undefined) {
    throw new InvalidOption('dpop: give `redis` or `store`, not both.')
  }
  if (store === undefined && redis === undefined) assertMemoryStoreAllowed('dpop', resolved.allowMemoryStore)
  const made =
    redis === undefined
      ? memoryReplayStore({ clock })
      : redisReplayStore({ redis, prefix, ...(deadlineMs === undefined ? {} : { deadlineMs }) })
  return {
    mode: resolved.mode,
    algorithms: resolved.algorithms,
    maxAgeMs,
    clockToleranceMs,
    nonces: nonceSecrets === undefined ? undefined : nonces(nonceSecrets, nonceLifeMs),
    // A nonce of the next slot is good for one slot more.
    rememberMs: nonceSecrets === undefined ? maxAgeMs + 2 * clockToleranceMs : 1.5 * nonceLifeMs,
    store: store ?? made,
    onStoreError: resolved.onStoreError,
    baseUrl: resolved.baseUrl,
    clock,
  }
}
