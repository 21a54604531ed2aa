import type { IncomingMessage } from 'node:http'
import { InvalidOption } from '@scale/core'
import { keyPart } from '@scale/redis'
import { countedWindowMs } from '../algorithms/bound.js'
import { createQuota, type Quota } from '../algorithms/quota.js'
import type { ResolvedPolicy, ResolvedRateLimitOptions } from '../options.js'
import { type DescribedPolicy, describePolicy } from '../response/headers.js'
import { isPending, type Lookups } from './lookups.js'
import { Memo } from './memo.js'
import { isKnownEarly, type PartitionKeyOf } from './partition.js'

/** Keys, or spendings, of so many partitions are kept. */
export const REMEMBERED_PARTITIONS = 10_000

/** Quotas that a function gave, kept so that equal ones are made once. */
const REMEMBERED_QUOTAS = 256

/** A quota of a policy: as it was promised, as it is counted, and as clients are told. */
export interface PolicyQuota {
  readonly promised: Quota
  readonly quota: Quota
  readonly described: DescribedPolicy
}

/** What a policy takes from its limiter. */
type LimiterTerms<Request extends IncomingMessage> = Pick<
  ResolvedRateLimitOptions<Request>,
  'name' | 'cost' | 'mode' | 'leaseMs'
>

/** A policy as it is applied. */
export class CountedPolicy<Request extends IncomingMessage> {
  readonly name: string
  readonly partitionKey: PartitionKeyOf<Request> | undefined
  /** What follows the partition in a key: a change of the window or the algorithm starts new counts. */
  readonly keySuffix: string
  /** Keys by partition: to write one again costs more than to find it. */
  readonly keys: Memo<string> = new Memo(REMEMBERED_PARTITIONS)
  /** Whether quota and cost are the same for all requests. */
  readonly isConstant: boolean
  readonly knownEarly: boolean
  /** Whether it costs something else than the limiter says. */
  readonly hasOwnCost: boolean
  readonly #options: ResolvedPolicy<Request>
  readonly #cost: number | ((req: Request) => number)
  readonly #limiter: LimiterTerms<Request>
  readonly #quotas = new Map<number, PolicyQuota>()
  /** What was looked up last, by partition and at all. */
  readonly #knownQuotas = new Memo<number>(REMEMBERED_PARTITIONS)
  #latestQuota: number | undefined

  constructor(options: ResolvedPolicy<Request>, limiter: LimiterTerms<Request>) {
    this.#limiter = limiter
    const { name, algorithm, buckets, quota } = options
    this.name = name
    this.partitionKey = options.partitionKey
    this.#options = options
    this.#cost = options.cost ?? limiter.cost
    this.hasOwnCost = options.cost !== undefined
    const format = algorithm === 'strict' ? `${algorithm}-${buckets}` : algorithm
    this.keySuffix = `:${keyPart(limiter.name)}:${keyPart(name)}:${format}:${countedWindowMs(options, limiter)}`
    this.isConstant = typeof quota === 'number' && typeof this.#cost === 'number'
    this.knownEarly =
      this.isConstant && (options.partitionKey === undefined || isKnownEarly(options.partitionKey))
    if (typeof quota === 'number') this.#remember(quota)
  }

  costOf(req: Request | undefined): number {
    if (typeof this.#cost === 'number') return this.#cost
    return req === undefined ? 1 : this.#cost(req)
  }

  /** @param who  whose quota it is: goes on with the one that was known last if it cannot be looked up */
  quotaOf(req: Request | undefined, who: string, lookups: Lookups): PolicyQuota | Promise<PolicyQuota> {
    const { quota } = this.#options
    if (typeof quota === 'number') return this.#remember(quota)
    const given = quota(req)
    if (!isPending(given)) return this.#remember(given)
    return lookups
      .answer(given, () => this.#knownQuotas.get(who) ?? this.#latestQuota)
      .then((known) => {
        const made = this.#remember(known)
        this.#latestQuota = this.#knownQuotas.set(who, known)
        return made
      })
  }

  /** Where only the way of counting matters, and nothing is looked up. */
  anyQuota(): PolicyQuota {
    const { quota } = this.#options
    return this.#remember(typeof quota === 'number' ? quota : (this.#latestQuota ?? 1))
  }

  /** @throws {InvalidOption} it is a promise, and there has been none before */
  quotaNow(): PolicyQuota {
    const { quota } = this.#options
    const given = typeof quota === 'number' ? quota : quota(undefined)
    if (!isPending(given)) return this.#remember(given)
    given.then(undefined, () => {})
    if (this.#latestQuota !== undefined) return this.#remember(this.#latestQuota)
    throw new InvalidOption(
      `rateLimit: the quota of policy \`${this.name}\` is a promise, so nobody knows its bound yet.`,
    )
  }

  #remember(quota: number): PolicyQuota {
    const known = this.#quotas.get(quota)
    if (known !== undefined) return known
    const { name, windowMs, unit } = this.#options
    const promised = createQuota(name, { ...this.#options, quota })
    const made: PolicyQuota = {
      promised,
      quota: createQuota(name, { ...promised, windowMs: countedWindowMs(promised, this.#limiter) }),
      described: describePolicy(name, quota, windowMs, unit),
    }
    if (this.#quotas.size >= REMEMBERED_QUOTAS) this.#quotas.clear()
    this.#quotas.set(quota, made)
    return made
  }
}
