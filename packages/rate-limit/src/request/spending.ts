import type { IncomingMessage } from 'node:http'
import { InvalidOption } from '@scale/core'
import { keyPart, keyspace } from '@scale/redis'
import type { Quota } from '../algorithms/quota.js'
import { ClientGone, UnknownClientAddress } from '../errors.js'
import type { ResolvedRateLimitOptions } from '../options.js'
import type { DescribedPolicy } from '../response/headers.js'
import type { Charge } from '../store.js'
import { costFor, type PolicyCosts } from './costs.js'
import { CountedPolicy, type PolicyQuota, REMEMBERED_PARTITIONS } from './counted-policy.js'
import { isPending, type Lookups } from './lookups.js'
import { Memo } from './memo.js'
import {
  address,
  assertPartitions,
  GONE,
  isKnownEarly,
  type LimitedRequest,
  Partition,
  type PartitionKeyOf,
  type Partitions,
  UNKNOWN_ADDRESS,
} from './partition.js'

/** Who is counted, for calls without a request: the same for all policies, or for each by its name. */
export type Subject = Partitions | Readonly<Record<string, Partitions | false>>

/** What is to be decided on: the charges, and the policy behind each. */
export interface Spending {
  readonly charges: readonly Charge[]
  /** As described to clients, with the quota that holds for this request. */
  readonly policies: readonly DescribedPolicy[]
}

type Eventually<Value> = Value | Promise<Value>

/** What one policy takes from one partition. */
interface Part {
  readonly charge: Charge
  readonly described: DescribedPolicy
}

/** Turns requests and names into charges: knows the policies, whom they count, and how keys are written. */
export class Spendings<Request extends IncomingMessage> {
  /** Whether all there is to know is known before any other middleware has run. */
  readonly knownEarly: boolean
  readonly #policies: readonly CountedPolicy<Request>[]
  readonly #lookups: Lookups
  readonly #keyBase: string
  /** Decides the hash slot where policies count different partitions; else the partition does. */
  readonly #slot: string | undefined
  readonly #partitionKey: PartitionKeyOf<Request>
  readonly #onUnknownAddress: 'open' | 'closed' | 'shared'
  /** Spendings by partition, where they depend on nothing else. */
  readonly #known: Memo<Spending> | undefined

  constructor(options: ResolvedRateLimitOptions<Request>, lookups: Lookups) {
    this.#lookups = lookups
    this.#partitionKey = options.partitionKey ?? (address as PartitionKeyOf<IncomingMessage>)
    this.#onUnknownAddress = options.onUnknownAddress
    this.#policies = options.policies.map((policy) => new CountedPolicy(policy, options))
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

  /**
   * What a request spends.
   *
   * @throws {UnknownClientAddress} it is what is counted
   */
  ofRequest(req: Request): Eventually<Spending> {
    if (this.#known !== undefined) {
      const known = this.#known
      const who = this.#whoOf(this.#partitionKey, req)
      return isPending(who) ? who.then((text) => this.#remembered(text, known)) : this.#remembered(who, known)
    }
    let shared: Eventually<string | false> | undefined
    return this.#of(
      ({ partitionKey }) => {
        if (partitionKey !== undefined) return this.#whoOf(partitionKey, req)
        shared ??= this.#whoOf(this.#partitionKey, req)
        return shared
      },
      (policy) => policy.costOf(req),
      (policy, who) => policy.quotaOf(req, who, this.#lookups),
    )
  }

  #whoOf(partitionKey: PartitionKeyOf<Request>, req: Request): Eventually<string | false> {
    const textOf = (given: Partitions | false | undefined): string | false =>
      this.#textOf(given ?? address(req as LimitedRequest))
    const given = partitionKey(req)
    return isPending(given) ? this.#lookups.answer(given, () => address(req)).then(textOf) : textOf(given)
  }

  /** A partition as it stands in a key; false if it is not counted. */
  #textOf(given: Partitions | false): string | false {
    if (given === false) return false
    if (given instanceof Partition && given !== GONE && given !== UNKNOWN_ADDRESS) return given.text
    const parts = assertPartitions(given)
    if (parts.includes(GONE)) throw new ClientGone()
    const isUnknown = parts.includes(UNKNOWN_ADDRESS)
    if (isUnknown && this.#onUnknownAddress === 'closed') throw new UnknownClientAddress()
    return isUnknown && this.#onUnknownAddress === 'open' ? false : parts.map(({ text }) => text).join(':')
  }

  #remembered(who: string | false, known: Memo<Spending>): Spending {
    if (who === false) return NOTHING
    const spending = known.get(who)
    if (spending !== undefined) return spending
    const parts = this.#policies.map((policy) =>
      this.#part(policy, who, policy.costOf(undefined), policy.anyQuota()),
    )
    return known.set(who, assemble(parts))
  }

  /**
   * What a subject spends.
   *
   * @param cost  units under every policy, or under each by its name. Default: what the options say, if that is a number, else 1
   */
  ofSubject(subject: Subject, cost?: PolicyCosts): Eventually<Spending> {
    if (this.#known !== undefined && cost === undefined && isPartitions(subject)) {
      return this.#remembered(this.#textOf(subject), this.#known)
    }
    if (typeof cost === 'object') this.#assertPolicies(cost)
    return this.#of(
      this.#whoIn(subject),
      (policy) => costFor(policy.name, cost) ?? policy.costOf(undefined),
      (policy, who) => policy.quotaOf(undefined, who, this.#lookups),
    )
  }

  /** Where a subject is counted, whatever its quota is. */
  placesOf(subject: Subject): readonly Charge[] {
    const spending = this.#of(
      this.#whoIn(subject),
      () => 1,
      (policy) => policy.anyQuota(),
    )
    return (spending as Spending).charges
  }

  #whoIn(subject: Subject): (policy: CountedPolicy<Request>) => string | false {
    if (isPartitions(subject)) {
      const who = this.#textOf(subject)
      return () => who
    }
    const named = this.#assertNamed(subject)
    return ({ name }) => this.#textOf(named[name] ?? false)
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

  #assertPolicies(named: object): void {
    for (const name of Object.keys(named)) {
      if (!this.#policies.some((policy) => policy.name === name)) {
        throw new InvalidOption(`rateLimit: there is no policy \`${name.slice(0, 64)}\`.`)
      }
    }
  }

  /** A policy that is misspelled, or whose partition was not there, would not be counted. */
  #assertNamed<Named extends Readonly<Record<string, Partitions | false>>>(partitions: Named): Named {
    const names = Object.keys(partitions)
    if (names.length === 0) throw new InvalidOption('rateLimit: the subject names no policy.')
    this.#assertPolicies(partitions)
    const missing = names.find((name) => partitions[name] === undefined)
    if (missing !== undefined) {
      throw new InvalidOption(
        `rateLimit: the partition under \`${missing}\` is undefined; false if the policy does not concern it.`,
      )
    }
    return partitions
  }

  /** The quotas as they are without a request. */
  quotas(): { policy: string; quota: Quota }[] {
    return this.#policies.map((policy) => ({ policy: policy.name, quota: policy.quotaNow().promised }))
  }

  #of(
    whoOf: (policy: CountedPolicy<Request>) => Eventually<string | false>,
    costOf: (policy: CountedPolicy<Request>) => number,
    quotaOf: (policy: CountedPolicy<Request>, who: string) => Eventually<PolicyQuota>,
  ): Eventually<Spending> {
    const partOf = (policy: CountedPolicy<Request>, who: string | false): Eventually<Part | undefined> => {
      if (who === false) return undefined
      const quota = quotaOf(policy, who)
      const cost = costOf(policy)
      return isPending(quota)
        ? quota.then((known) => this.#part(policy, who, cost, known))
        : this.#part(policy, who, cost, quota)
    }
    let isLater = false
    const parts = this.#policies.map((policy) => {
      const who = whoOf(policy)
      const part = isPending(who) ? who.then((known) => partOf(policy, known)) : partOf(policy, who)
      if (isPending(part)) {
        isLater = true
        // If another policy fails at once, nobody waits for this one any more.
        part.then(undefined, () => {})
      }
      return part
    })
    return isLater ? Promise.all(parts).then(assemble) : assemble(parts as (Part | undefined)[])
  }

  #part(policy: CountedPolicy<Request>, who: string, cost: number, { quota, described }: PolicyQuota): Part {
    assertCost(cost, policy.name)
    return { charge: { key: this.#keyOf(policy, who), quota, cost }, described }
  }

  #keyOf(policy: CountedPolicy<Request>, who: string): string {
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

/** Leaves out the policies that are not concerned. */
function assemble(parts: readonly (Part | undefined)[]): Spending {
  const charges: Charge[] = []
  const policies: DescribedPolicy[] = []
  for (const part of parts) {
    if (part === undefined) continue
    charges.push(part.charge)
    policies.push(part.described)
  }
  return { charges, policies }
}

/** Anything but an object of partitions by policy; whether it is a right one shows when it is written into a key. */
function isPartitions(subject: Subject): subject is Partitions {
  return (
    typeof subject !== 'object' || subject === null || subject instanceof Partition || Array.isArray(subject)
  )
}

/** @throws {InvalidOption} not an integer of 0 or more */
export function assertCost(cost: number, policy?: string): void {
  if (Number.isSafeInteger(cost) && cost >= 0) return
  const where = policy === undefined ? '' : ` policy \`${policy}\`:`
  const what = typeof cost === 'number' ? cost : `of type ${typeof cost}`
  throw new InvalidOption(`rateLimit:${where} the cost must be an integer of at least 0, not ${what}.`)
}
