import type { IncomingMessage } from 'node:http'
import { assertMemoryStoreAllowed } from '@scale/core'
import { mostAdmitted, type PolicyBound } from './algorithms/bound.js'
import { type RateLimitStoreErrorMessage, storeErrorChannel } from './channels.js'
import { RateLimitStoreUnavailable } from './errors.js'
import type { ResolvedRateLimitOptions } from './options.js'
import { costFor, type PolicyCosts } from './request/costs.js'
import { Lookups, UNDECIDED } from './request/lookups.js'
import { assertCost, type Spending, Spendings, type Subject } from './request/spending.js'
import { warnUnprotected } from './request/warnings.js'
import { type Decision, toDecision } from './response/decision.js'
import type { Balance, Charge, QuotaStore, StoreReply } from './store.js'
import { type Fleet, fleetOf } from './stores/fleet.js'
import { ownKeys } from './stores/key-owners.js'
import { LeasedStore } from './stores/leased.js'
import { LocalStore } from './stores/local.js'
import { MemoryStore } from './stores/memory.js'
import { redisStore } from './stores/redis.js'

/** What a decision took, and from where. */
interface Receipt {
  readonly store: QuotaStore
  /** By the order of the charges. */
  readonly policies: readonly { readonly name: string }[]
  readonly charges: readonly Charge[]
  readonly balances: readonly Balance[]
}

/** Decides: asks the store, and knows what to do when that does not answer. */
export class Limiter<Request extends IncomingMessage> {
  readonly spendings: Spendings<Request>
  readonly lookups: Lookups
  /** Says that the store failed, to whoever listens. */
  readonly report: Report
  readonly #options: ResolvedRateLimitOptions<Request>
  readonly #fleet: Fleet | undefined
  readonly #store: QuotaStore
  readonly #receipts = new WeakMap<Decision, Receipt>()
  readonly #giveUpKeys: () => void
  #fallback: QuotaStore | undefined

  /** @throws {InvalidOption} another limiter counts under the same name */
  constructor(options: ResolvedRateLimitOptions<Request>) {
    this.#options = options
    this.report = reporter(options)
    const { report } = this
    this.lookups = new Lookups({
      deadlineMs: options.deadlineMs ?? (options.onStoreError === 'closed' ? LONG_MS : SHORT_MS),
      onStoreError: options.onStoreError,
      report: (error) => report('lookup', error),
    })
    this.spendings = new Spendings(options, this.lookups)
    this.#fleet = this.#findFleet()
    this.#store = this.#openStore()
    const { redis, store, prefix, name } = options
    this.#giveUpKeys = ownKeys(
      this,
      redis ?? store,
      `${prefix} ${name}`,
      `rateLimit: another limiter is named \`${name}\` and would spend the same quotas. Give each a \`name\` of its own; ` +
        'where this one takes the place of the other, call `close()` on that first.',
    )
  }

  /** Decides once it is known what is spent. Where that cannot be found out, nobody decides. */
  whenKnown(
    spending: Spending | Promise<Spending>,
    decide: (spending: Spending) => Decision | Promise<Decision>,
  ): Decision | Promise<Decision> {
    if (!(spending instanceof Promise)) return decide(spending)
    return spending.then(decide, (error: unknown) => {
      if (error === UNDECIDED) return NOT_DECIDED
      throw error
    })
  }

  /** Spends, if all policies allow it. At once if the decision is made in this process. */
  consume(spending: Spending): Decision | Promise<Decision> {
    return this.#ask('consume', spending, 1)
  }

  /** How it stands, without spending. */
  peek(spending: Spending): Decision | Promise<Decision> {
    return this.#ask('peek', spending, 0)
  }

  #ask(operation: 'consume' | 'peek', spending: Spending, count: number): Decision | Promise<Decision> {
    const { charges } = spending
    if (charges.length === 0) return NOT_CONCERNED
    const reply = this.#store.consume(charges, count, 1)
    if (!(reply instanceof Promise)) return this.#decide(this.#store, spending, reply, count)
    return reply.then(
      (known) => this.#decide(this.#store, spending, known, count),
      (error: unknown) => {
        this.report(operation, error)
        return this.#withoutStore(error, spending, count)
      },
    )
  }

  #decide(store: QuotaStore, { charges, policies }: Spending, reply: StoreReply, count: number): Decision {
    const allowed = count > 0 ? reply.granted > 0 : reply.balances.every(({ waitMs }) => waitMs === 0)
    const decision = toDecision(policies, reply, allowed)
    if (allowed && count > 0 && this.#options.settle !== undefined) {
      this.#receipts.set(decision, { store, policies, charges, balances: reply.balances })
    }
    return decision
  }

  #withoutStore(error: unknown, spending: Spending, count: number): Decision {
    switch (this.#options.onStoreError) {
      case 'closed':
        throw new RateLimitStoreUnavailable(error)
      case 'open':
        return NOT_DECIDED
      case 'local':
        this.#fallback ??= this.#localStore('fallback')
        return this.#decide(
          this.#fallback,
          spending,
          this.#fallback.consume(spending.charges, count, 1) as StoreReply,
          count,
        )
    }
  }

  /**
   * Replaces what a decision took by what the request really cost; once. A decision that took nothing is left alone, and so are
   * policies of which nothing is said.
   *
   * @throws {InvalidOption} a cost is not an integer of 0 or more, or not meant for these policies; what was taken stays taken
   * @throws what the store throws
   */
  async settle(decision: Decision, costs: PolicyCosts): Promise<void> {
    this.spendings.assertMeant(costs)
    for (const cost of typeof costs === 'object' ? Object.values(costs) : [costs]) assertCost(cost)
    const receipt = this.#receipts.get(decision)
    if (receipt === undefined) return
    this.#receipts.delete(decision)
    const settlements = receipt.charges
      .map(({ key, quota, cost: taken }, index) => ({
        key,
        quota,
        units: (costFor(receipt.policies[index]!.name, costs) ?? taken) - taken,
        windowId: receipt.balances[index]!.windowId,
      }))
      .filter(({ units }) => units !== 0)
    if (settlements.length > 0) await receipt.store.settle(settlements)
  }

  /** @throws what the store throws */
  async penalize(subject: Subject, blockMs: number): Promise<void> {
    await this.#store.penalize(this.spendings.placesOf(subject), blockMs)
  }

  /** @throws what the store throws */
  async reset(subject: Subject): Promise<void> {
    const charges = this.spendings.placesOf(subject)
    await this.#fallback?.reset(charges)
    await this.#store.reset(charges)
  }

  /** Gives back what was taken in advance, and the name; what could not be is reported. */
  async close(): Promise<void> {
    this.#giveUpKeys()
    if (this.#store instanceof LeasedStore) await this.#store.close()
  }

  /** What each policy admits at most. */
  bound(): PolicyBound[] {
    const { mode, leaseMs, redis, store, onStoreError } = this.#options
    const shared = redis !== undefined || store !== undefined
    return this.spendings.quotas().map(({ policy, quota }) => {
      const most = (asked: typeof mode): number => mostAdmitted(quota, asked, leaseMs, this.#processes())
      const without = { open: Number.POSITIVE_INFINITY, closed: 0, local: most('local') }[onStoreError]
      return {
        policy,
        windowMs: quota.windowMs,
        most: most(shared ? mode : 'exact'),
        mostWithoutStore: shared && mode !== 'local' ? without : most(shared ? mode : 'exact'),
      }
    })
  }

  readonly #processes = (): number => this.#fleet?.size ?? 1

  /** Only who divides something must know by how many. */
  #findFleet(): Fleet | undefined {
    const { redis, mode, onStoreError } = this.#options
    if (redis === undefined || (mode === 'exact' && onStoreError !== 'local')) return undefined
    const { report } = this
    return fleetOf(redis, this.#options, (error) => report('heartbeat', error))
  }

  #openStore(): QuotaStore {
    const { store, redis, mode, leaseMs, deadlineMs, maxKeys, allowMemoryStore, onStoreError } = this.#options
    if (store === undefined && redis === undefined) {
      assertMemoryStoreAllowed('rateLimit', allowMemoryStore)
      return new MemoryStore({ maxKeys })
    }
    if (mode === 'local') return this.#localStore('memory')
    const shared = store ?? redisStore(redis!, deadlineMs, onStoreError === 'closed' ? 'long' : 'short')
    if (mode === 'exact') return shared
    const onError = (error: unknown): void => this.report('settle', error)
    return new LeasedStore(shared, { leaseMs, processes: this.#processes, maxKeys, onError })
  }

  #localStore(source: 'memory' | 'fallback'): LocalStore {
    return new LocalStore({ maxKeys: this.#options.maxKeys, source, processes: this.#processes })
  }
}

/** Says what failed. */
type Report = (operation: RateLimitStoreErrorMessage['operation'], error: unknown) => void

/** Knows no limiter: what lives as long as the client may keep it. */
function reporter({
  name,
  onStoreError,
}: Pick<RateLimitStoreErrorMessage, 'onStoreError'> & { name: string }): Report {
  return (operation, error) => {
    if (operation !== 'lookup') warnUnprotected(name, onStoreError, error)
    if (storeErrorChannel.hasSubscribers)
      storeErrorChannel.publish({ limiter: name, operation, onStoreError, error })
  }
}

/** What the guard of a client waits for the store, where nothing else is said. */
const SHORT_MS = 100
const LONG_MS = 1_000

const NOT_DECIDED: Decision = Object.freeze({
  allowed: true,
  retryAfterMs: 0,
  policies: Object.freeze([]),
  source: 'none',
})

const NOT_CONCERNED: Decision = Object.freeze({ ...NOT_DECIDED, source: 'memory' })
