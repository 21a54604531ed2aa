import type { IncomingMessage } from 'node:http'
import { InvalidOption } from '@scale/core'
import { keyPart, keyspace } from '@scale/redis'
import { CountedPolicy } from './counted-policy.js'
import type { DescribedPolicy } from './headers.js'
import type { ResolvedRateLimitOptions } from './options.js'
import {
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

  constructor(options: ResolvedRateLimitOptions<Request>) {
    this.#partitionKey = options.partitionKey ?? (byAddress() as PartitionKeyOf<Request>)
    this.#policies = options.policies.map((policy) => new CountedPolicy(policy, options))
    this.#settles = options.settle !== undefined || options.mode === 'leased'
    this.#keyBase = keyspace(options.prefix, 'rate-limit', 1).plain()
    this.#slot = options.policies.some(({ partitionKey }) => partitionKey !== undefined)
      ? keyPart(options.name)
      : undefined
    this.knownEarly =
      options.skip === undefined &&
      isKnownEarly(this.#partitionKey) &&
      this.#policies.every(({ knownEarly }) => knownEarly)
  }

  /** What a request spends. */
  ofRequest(req: Request): Spending {
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

  /**
   * What a subject spends.
   *
   * @param cost  units under every policy. Default: what the options say, if that is a number, else 1
   */
  ofSubject(subject: Subject, cost?: number): Spending {
    const partitions = isPartitionKey(subject) ? undefined : this.#known(subject)
    return this.#of(
      ({ name }) => (partitions === undefined ? (subject as PartitionKey) : (partitions[name] ?? false)),
      (policy) => cost ?? policy.costOf(undefined),
      undefined,
    )
  }

  /** A policy that is misspelled would not be counted. */
  #known(
    partitions: Readonly<Record<string, PartitionKey | false>>,
  ): Readonly<Record<string, PartitionKey | false>> {
    for (const name of Object.keys(partitions)) {
      if (!this.#policies.some((policy) => policy.name === name)) {
        throw new InvalidOption(`rateLimit: there is no policy \`${name.slice(0, 64)}\`.`)
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
      if (!Number.isSafeInteger(cost) || cost < 0) throw wrongCost(policy.name, cost)
      charges.push({ key: this.#keyOf(policy, partition), quota, cost, settles: this.#settles })
      policies.push(described)
    }
    return { charges, policies }
  }

  #keyOf(policy: CountedPolicy<Request>, partition: PartitionKey): string {
    const who = escapePartition(partition)
    const known = policy.keys.get(who)
    if (known !== undefined) return known
    const key =
      this.#slot === undefined
        ? `${this.#keyBase}{${who}}${policy.keySuffix}`
        : `${this.#keyBase}{${this.#slot}}${policy.keySuffix}:${who}`
    return policy.keys.set(who, key)
  }
}

const ADDRESS = byAddress() as (req: IncomingMessage) => PartitionKey

function isPartitionKey(subject: Subject): subject is PartitionKey {
  return typeof subject === 'string' || Array.isArray(subject)
}

function wrongCost(policy: string, cost: unknown): InvalidOption {
  return new InvalidOption(
    `rateLimit: policy \`${policy}\`: the cost must be an integer of at least 0, not ${
      typeof cost === 'number' ? cost : `a ${typeof cost}`
    }.`,
  )
}
