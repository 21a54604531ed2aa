import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  anyOf,
  arrayOf,
  boolean,
  durationMs,
  func,
  InvalidOption,
  integer,
  type OptionChecks,
  object,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
} from '@scale/core'
import { keyPrefix, type RedisClient, redisClient } from '@scale/redis'
import type { AlgorithmName } from './algorithms/index.js'
import { algorithms } from './algorithms/index.js'
import type { PolicyCosts } from './request/costs.js'
import type { LimitedRequest, PartitionKeyOf } from './request/partition.js'
import { type HeaderStyle, headerStyles } from './response/headers.js'
import type { QuotaStore } from './store.js'

/** One quota. */
export interface PolicyOptions<Request = LimitedRequest> {
  /** Shown to clients and in metrics. 1–64 printable ASCII characters, unique in its limiter */
  name: string
  /**
   * Units per window, an integer of 0 or more; or a function, for quotas that differ between requests, which may look it up and
   * answer with a promise. It is called with `undefined` when there is no request.
   */
  quota: number | ((req: Request | undefined) => number | Promise<number>)
  /** Length of the window, in ms. 1 ms–10 years */
  windowMs: number
  /** How to count. Default 'fixed' */
  algorithm?: AlgorithmName
  /** Most units at one instant, for `token-bucket`. Default: the quota */
  burst?: number
  /** Buckets of the `strict` window, 1–100: a client in constant demand gets k / (k + 1) of its quota. Default 10 */
  buckets?: number
  /** Who is counted by this policy. Default: the limiter's `partitionKey` */
  partitionKey?: PartitionKeyOf<Request>
  /** Units that a request costs under this policy, an integer of 0 or more. Default: the limiter's `cost` */
  cost?: number | ((req: Request) => number)
  /** What the units are, said in `RateLimit-Policy`. Default 'requests' */
  unit?: 'requests' | 'content-bytes'
}

/** Options of {@link rateLimit}. */
export interface RateLimitOptions<Request extends IncomingMessage = LimitedRequest> {
  /** The app's ioredis client. Without it, quotas are kept in this process. Default none */
  redis?: RedisClient
  /** Another store, in place of `redis`. Default none */
  store?: QuotaStore
  /** One or more quotas, checked together and debited all or none. 1–16 */
  policies: readonly PolicyOptions<Request>[]
  /**
   * Sets limiters apart: of one client and prefix no two may have the same, until one is closed. 1–64 printable ASCII characters.
   * Default 'default'
   */
  name?: string
  /** Who is counted; may answer with a promise. Default: `address` */
  partitionKey?: PartitionKeyOf<Request>
  /** Units that a request costs, an integer of 0 or more. Default 1 */
  cost?: number | ((req: Request) => number)
  /**
   * The real cost, known when the response has been sent; what was too much is given back, what was too little is charged. One
   * number for all policies, or one for each by its name. If the client leaves before, what was taken stays taken. `true`: the app
   * calls `limiter.settle` itself. Default none
   */
  settle?: true | ((req: Request, res: ServerResponse) => PolicyCosts)
  /**
   * While the store does not answer: `local` counts in this process, with its share of the quota; `open` lets
   * everything pass; `closed` answers 503. Where the app's own look-up of a quota or a partition fails, `local` goes on with what it
   * said last, or with the address. Default 'local'
   */
  onStoreError?: 'open' | 'closed' | 'local'
  /**
   * What becomes of a request that is counted by its address, and has none that can be read: `closed` answers 400, `open` does not
   * count it, `shared` counts all of them together. Default 'closed'
   */
  onUnknownAddress?: 'open' | 'closed' | 'shared'
  /**
   * `exact`: each request is decided by the store. `leased`: this process takes quota in advance where demand is high,
   * and decides by itself as long as it lasts. `local`: this process counts its share of the quota by itself. Without
   * `redis` there is nothing to share, and no difference. Default 'exact'
   */
  mode?: 'exact' | 'leased' | 'local'
  /** Longest life of quota taken in advance, in ms. 10 ms–1 min. Default 1,000 */
  leaseMs?: number
  /** Counts and reports, but never refuses. Default false */
  shadow?: boolean
  /** Says `true` of requests that are not counted; may answer with a promise. Default none */
  skip?: (req: Request) => boolean | Promise<boolean>
  /** Which response headers, or `false` for none. Default 'draft-10' */
  headers?: false | HeaderStyle | readonly HeaderStyle[]
  /**
   * Whether `compose` may ask the store before earlier middleware has run: then partition, cost, quota and `skip` must
   * not depend on it. Default: true if all of them are constant or the package's own
   */
  early?: boolean
  /** Sets apps on one Redis apart. 1–64 letters, digits, `.`, `_`, `-` or `:`. Default 'scale' */
  prefix?: string
  /** Longest wait for the store, and for what the app looks up, in ms. 1–60,000. Default: the guard's, 100; 1,000 if `closed` */
  deadlineMs?: number
  /** Partitions that the in-process store remembers at once. 100–10,000,000. Default 100,000 */
  maxKeys?: number
  /** Permits the in-process store where several processes are likely. Default false */
  allowMemoryStore?: boolean
}

type WithDefault =
  | 'name'
  | 'cost'
  | 'onStoreError'
  | 'onUnknownAddress'
  | 'mode'
  | 'leaseMs'
  | 'shadow'
  | 'headers'
  | 'prefix'
  | 'maxKeys'
  | 'allowMemoryStore'

/** The defaults of {@link RateLimitOptions}. */
export const rateLimitDefaults: Readonly<Required<Pick<RateLimitOptions, WithDefault>>> = Object.freeze({
  name: 'default',
  cost: 1,
  onStoreError: 'local',
  onUnknownAddress: 'closed',
  mode: 'exact',
  leaseMs: 1_000,
  shadow: false,
  headers: 'draft-10',
  prefix: 'scale',
  maxKeys: 100_000,
  allowMemoryStore: false,
})

/** The defaults of {@link PolicyOptions}. */
export const policyDefaults: Readonly<Required<Pick<PolicyOptions, 'algorithm' | 'buckets' | 'unit'>>> =
  Object.freeze({ algorithm: 'fixed', buckets: 10, unit: 'requests' })

const TEN_YEARS_MS = 3_653 * 86_400_000

/** A String of RFC 9651 holds no other characters, so no other name could be sent. */
const policyName = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[\x20-\x7e]{1,64}$/.test(value)
    ? undefined
    : '1 to 64 printable ASCII characters'

const costCheck = anyOf(integer(0), func)
const headerStyle = oneOf(...Object.keys(headerStyles))

const policyChecks: OptionChecks<PolicyOptions> = {
  name: policyName,
  quota: anyOf(integer(0), func),
  windowMs: durationMs(1, TEN_YEARS_MS),
  algorithm: oneOf(...Object.keys(algorithms)),
  burst: integer(1),
  buckets: integer(1, 100),
  partitionKey: func,
  cost: costCheck,
  unit: oneOf('requests', 'content-bytes'),
}

const checks: OptionChecks<RateLimitOptions> = {
  redis: redisClient,
  store: object,
  policies: arrayOf(object, 1),
  name: policyName,
  partitionKey: func,
  cost: costCheck,
  settle: anyOf((value) => (value === true ? undefined : 'true'), func),
  onStoreError: oneOf('open', 'closed', 'local'),
  onUnknownAddress: oneOf('open', 'closed', 'shared'),
  mode: oneOf('exact', 'leased', 'local'),
  leaseMs: durationMs(10, 60_000),
  shadow: boolean,
  skip: func,
  headers: anyOf((value) => (value === false ? undefined : 'false'), headerStyle, arrayOf(headerStyle, 1)),
  early: boolean,
  prefix: keyPrefix,
  deadlineMs: durationMs(1, 60_000),
  maxKeys: integer(100, 10_000_000),
  allowMemoryStore: boolean,
}

/** A policy with its defaults. */
export type ResolvedPolicy<Request> = Readonly<ResolvedOptions<PolicyOptions<Request>, typeof policyDefaults>>
/** The options with their defaults. */
export type ResolvedRateLimitOptions<Request extends IncomingMessage> = Readonly<
  Omit<ResolvedOptions<RateLimitOptions<Request>, typeof rateLimitDefaults>, 'policies'>
> & { readonly policies: readonly ResolvedPolicy<Request>[] }

/**
 * Checks what `rateLimit` was given.
 *
 * @throws {InvalidOption} says which option is wrong, and what it must be
 */
export function resolveRateLimitOptions<Request extends IncomingMessage>(
  given: RateLimitOptions<Request>,
): ResolvedRateLimitOptions<Request> {
  const options = resolveOptions<RateLimitOptions<Request>, typeof rateLimitDefaults>('rateLimit', given, {
    checks: checks as OptionChecks<RateLimitOptions<Request>>,
    defaults: rateLimitDefaults,
    required: ['policies'],
  })
  const policies = options.policies.map((policy) =>
    resolveOptions<PolicyOptions<Request>, typeof policyDefaults>('rateLimit: policies', policy, {
      checks: policyChecks as OptionChecks<PolicyOptions<Request>>,
      defaults: policyDefaults,
      required: ['name', 'quota', 'windowMs'],
    }),
  )
  const names = policies.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new InvalidOption(`rateLimit: two policies are named \`${twice}\`.`)
  if (policies.length > 16) throw new InvalidOption('rateLimit: `policies` must be at most 16.')
  if (options.redis !== undefined && options.store !== undefined) {
    throw new InvalidOption('rateLimit: give `redis` or `store`, not both.')
  }
  return { ...options, policies }
}

/** @throws {InvalidOption} not a time that a penalty can last */
export function assertBlockMs(options: { blockMs: number } | undefined): number {
  const blockMs = options?.blockMs
  const wanted = durationMs(1, TEN_YEARS_MS)(blockMs)
  if (wanted !== undefined) throw new InvalidOption(`rateLimit: \`blockMs\` must be ${wanted}.`)
  return blockMs!
}
