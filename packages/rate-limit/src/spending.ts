import type { IncomingMessage } from 'node:http'
import { InvalidOption, parseAddress } from '@scale/core'
import { keyPart, keyspace } from '@scale/redis'
import { costFor, type PolicyCosts } from './costs.js'
import { CountedPolicy, REMEMBERED_PARTITIONS } from './counted-policy.js'
import type { DescribedPolicy } from './headers.js'
import { Memo } from './memo.js'
import type { ResolvedRateLimitOptions } from './options.js'
import {
  address,
  byAddress,
  escapePartition,
  isKnownEarly,
  type PartitionKey,
  type PartitionKeyOf,
} from './partition-key.js'
import type { Quota } from './policy.js'
import type { Charge } from './store.js'

/** Who is counted, for calls without a request: one partition for all policies, or one for each by its name. */
export type Subject = PartitionKey | Readonly<Record<string, PartitionKey | false>>

/** What is to be decided on: the charges, and the policy behind each. */
export interface Spending {
  readonly charges: readonly Charge[]
  /** As described to clients, with the quota that holds for this request. */
  readonly policies: readonly DescribedPolicy[]
}

/** Turns requests and names into charges: knows the policies, whom they count, and how keys are written. */
export class Spendings<Request extends IncomingMessage> {
  /** Whether all there is to know is known before any other middleware has run. */
  readonly knownEarly: boolean
  readonly #policies: readonly CountedPolicy<Request>[]
  readonly #keyBase: string
  readonly #settles: boolean
  /** Decides the hash slot where policies count different partitions; else the partition does. */
  readonly #slot: string | undefined
  readonly #partitionKey: PartitionKeyOf<Request>
  readonly #countsAddresses: boolean
  /** Spendings by partition, where they depend on nothing else. */
  readonly #known: Memo<Spending> | undefined

  constructor(options: ResolvedRateLimitOptions<Request>) {
    this.#partitionKey = options.partitionKey ?? (byAddress() as PartitionKeyOf<Request>)
    this.#countsAddresses = options.partitionKey === undefined
    this.#policies = options.policies.map((policy) => new CountedPolicy(policy, options))
    this.#settles = options.settle !== undefined || options.mode === 'leased'
    this.#keyBase = keyspace(options.prefix, 'rate-limit', 1).plain()
    this.#slot = options.policies.some(({ partitionKey }) => partitionKey !== undefined)
      ? keyPart(options.name)
      : undefined
    const isShared = this.#policies.every(
      ({ partitionKey, isConstant }) => isConstant && partitionKey === undefined,
    )
    this.#known = isShared ? new Memo(REMEMBERED_PARTITIONS) : undefined
    this.knownEarly =
      options.skip === undefined &&
      isKnownEarly(this.#partitionKey) &&
      this.#policies.every(({ knownEarly }) => knownEarly)
  }

  /** What a request spends. */
  ofRequest(req: Request): Spending {
    if (this.#known !== undefined)
      return this.#ofPartition(this.#partitionKey(req) ?? ADDRESS(req), this.#known)
    let shared: PartitionKey | false | undefined
    return this.#of(
      ({ partitionKey }) => {
        if (partitionKey !== undefined) return partitionKey(req) ?? ADDRESS(req)
        shared ??= this.#partitionKey(req) ?? ADDRESS(req)
        return shared
      },
      (policy) => policy.costOf(req),
      req,
    )
  }

  #ofPartition(partition: PartitionKey | false, known: Memo<Spending>): Spending {
    if (partition === false) return NOTHING
    const who = escapePartition(partition)
    return (
      known.get(who) ??
      known.set(
        who,
        this.#of(
          () => partition,
          (policy) => policy.costOf(undefined),
          undefined,
        ),
      )
    )
  }

  /**
   * What a subject spends.
   *
   * @param cost  units under every policy, or under each by its name. Default: what the options say, if that is a number, else 1
   */
  ofSubject(subject: Subject, cost?: PolicyCosts): Spending {
    if (this.#known !== undefined && cost === undefined && isPartitionKey(subject)) {
      return this.#ofPartition(this.#addressed(subject), this.#known)
    }
    const partitions = isPartitionKey(subject) ? undefined : this.#assertNamed(subject)
    if (typeof cost === 'object') this.#assertPolicies(cost)
    return this.#of(
      ({ name }) =>
        partitions === undefined ? this.#addressed(subject as PartitionKey) : (partitions[name] ?? false),
      (policy) => costFor(policy.name, cost) ?? policy.costOf(undefined),
      undefined,
    )
  }

  /** Where addresses are counted, one that is named by itself is who is counted. */
  #addressed(subject: PartitionKey): PartitionKey {
    const isAddress =
      typeof subject === 'string' && this.#countsAddresses && parseAddress(subject) !== undefined
    return isAddress ? address(subject) : subject
  }

  /** A number means the same under all policies only if none has a cost of its own. */
  assertMeant(cost: PolicyCosts): void {
    if (typeof cost === 'object') this.#assertPolicies(cost)
    else if (this.#policies.length > 1 && this.#policies.some(({ hasOwnCost }) => hasOwnCost)) {
      throw new InvalidOption(
        'rateLimit: policies with costs of their own are settled by name: `{ policy: units }`, not by one number for all.',
      )
    }
  }

  #assertPolicies(costs: Readonly<Record<string, number>>): void {
    for (const name of Object.keys(costs)) {
      if (!this.#policies.some((policy) => policy.name === name)) {
        throw new InvalidOption(`rateLimit: there is no policy \`${name.slice(0, 64)}\`.`)
      }
    }
  }

  /** A policy that is misspelled, or whose partition was not there, would not be counted. */
  #assertNamed(
    partitions: Readonly<Record<string, PartitionKey | false>>,
  ): Readonly<Record<string, PartitionKey | false>> {
    const names = Object.keys(partitions)
    if (names.length === 0) throw new InvalidOption('rateLimit: the subject names no policy.')
    for (const name of names) {
      if (!this.#policies.some((policy) => policy.name === name)) {
        throw new InvalidOption(`rateLimit: there is no policy \`${name.slice(0, 64)}\`.`)
      }
      if (partitions[name] === undefined) {
        throw new InvalidOption(
          `rateLimit: the partition under \`${name}\` is undefined; false if the policy does not concern it.`,
        )
      }
    }
    return partitions
  }

  /** The quotas as they are without a request. */
  quotas(): { policy: string; quota: Quota }[] {
    return this.#policies.map((policy) => ({
      policy: policy.name,
      quota: policy.quotaOf(undefined).promised,
    }))
  }

  #of(
    partitionOf: (policy: CountedPolicy<Request>) => PartitionKey | false,
    costOf: (policy: CountedPolicy<Request>) => number,
    req: Request | undefined,
  ): Spending {
    const charges: Charge[] = []
    const policies: DescribedPolicy[] = []
    for (const policy of this.#policies) {
      const partition = partitionOf(policy)
      if (partition === false) continue
      const { quota, described } = policy.quotaOf(req)
      const cost = costOf(policy)
      assertCost(cost, policy.name)
      charges.push({ key: this.#keyOf(policy, partition), quota, cost, settles: this.#settles })
      policies.push(described)
    }
    return { charges, policies }
  }

  #keyOf(policy: CountedPolicy<Request>, partition: PartitionKey): string {
    const who = escapePartition(partition)
    // Where whole spendings are remembered, keys need not be.
    if (this.#known !== undefined) return this.#writeKey(policy, who)
    return policy.keys.get(who) ?? policy.keys.set(who, this.#writeKey(policy, who))
  }

  #writeKey({ keySuffix }: CountedPolicy<Request>, who: string): string {
    return this.#slot === undefined
      ? `${this.#keyBase}{${who}}${keySuffix}`
      : `${this.#keyBase}{${this.#slot}}${keySuffix}:${who}`
  }
}

const NOTHING: Spending = Object.freeze({ charges: Object.freeze([]), policies: Object.freeze([]) })

const ADDRESS = byAddress() as (req: IncomingMessage) => PartitionKey

/** Anything but an object of partitions by policy; whether it is a right one shows when it is written into a key. */
function isPartitionKey(subject: Subject): subject is PartitionKey {
  return typeof subject !== 'object' || subject === null || Array.isArray(subject)
}

/** @throws {InvalidOption} not an integer of 0 or more */
export function assertCost(cost: number, policy?: string): void {
  if (Number.isSafeInteger(cost) && cost >= 0) return
  const where = policy === undefined ? '' : ` policy \`${policy}\`:`
  const what = typeof cost === 'number' ? cost : `of type ${typeof cost}`
  throw new InvalidOption(`rateLimit:${where} the cost must be an integer of at least 0, not ${what}.`)
}
