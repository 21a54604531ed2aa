import type { IncomingMessage } from 'node:http'
import { assertMemoryStoreAllowed } from '@scale/core'
import { storeGuard } from '@scale/redis'
import { type RateLimitStoreErrorMessage, storeErrorChannel } from './channels.js'
import { type Decision, toDecision } from './decision.js'
import { RateLimitStoreUnavailable } from './errors.js'
import type { ResolvedRateLimitOptions } from './options.js'
import { quotaShare } from './policy.js'
import { type Spending, Spendings } from './spending.js'
import type { Balance, Charge, QuotaStore, StoreReply } from './store.js'
import { MemoryStore } from './stores/memory.js'
import { RedisStore } from './stores/redis.js'

/** What a decision took, and from where. */
interface Receipt {
  readonly store: QuotaStore
  readonly charges: readonly Charge[]
  readonly balances: readonly Balance[]
}

/** Decides: asks the store, and knows what to do when that does not answer. */
export class Limiter<Request extends IncomingMessage> {
  readonly spendings: Spendings<Request>
  readonly #options: ResolvedRateLimitOptions<Request>
  readonly #store: QuotaStore
  #fallback: MemoryStore | undefined
  readonly #receipts = new WeakMap<Decision, Receipt>()

  constructor(options: ResolvedRateLimitOptions<Request>) {
    this.#options = options
    this.spendings = new Spendings(options)
    this.#store = openStore(options)
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
      this.#receipts.set(decision, { store, charges, balances: reply.balances })
    }
    return decision
  }

  #withoutStore(error: unknown, spending: Spending, count: number): Decision {
    switch (this.#options.onStoreError) {
      case 'closed':
        throw new RateLimitStoreUnavailable(error)
      case 'open':
        return NOT_DECIDED
      case 'local': {
        this.#fallback ??= new MemoryStore({ maxKeys: this.#options.maxKeys, source: 'fallback' })
        const own = { ...spending, charges: spending.charges.map(ownShare) }
        return this.#decide(this.#fallback, own, this.#fallback.consume(own.charges, count, 1), count)
      }
    }
  }

  /**
   * Replaces what a decision took by what the request really cost; once. A decision that took nothing is left alone.
   *
   * @throws what the store throws
   */
  async settle(decision: Decision, cost: number): Promise<void> {
    const receipt = this.#receipts.get(decision)
    if (receipt === undefined) return
    this.#receipts.delete(decision)
    const settlements = receipt.charges
      .map(({ key, quota, cost: taken }, index) => ({
        key,
        quota,
        units: cost - taken,
        windowId: receipt.balances[index]!.windowId,
      }))
      .filter(({ units }) => units !== 0)
    if (settlements.length > 0) await receipt.store.settle(settlements)
  }

  /** @throws what the store throws */
  async penalize({ charges }: Spending, blockMs: number): Promise<void> {
    await this.#store.penalize(charges, blockMs)
  }

  /** @throws what the store throws */
  async reset({ charges }: Spending): Promise<void> {
    this.#fallback?.reset(charges)
    await this.#store.reset(charges)
  }

  /** Says that the store failed, to whoever listens. */
  report(operation: RateLimitStoreErrorMessage['operation'], error: unknown): void {
    if (!storeErrorChannel.hasSubscribers) return
    const { name, onStoreError } = this.#options
    storeErrorChannel.publish({ limiter: name, operation, onStoreError, error })
  }
}

const NOT_DECIDED: Decision = Object.freeze({
  allowed: true,
  retryAfterMs: 0,
  policies: Object.freeze([]),
  source: 'none',
})

const NOT_CONCERNED: Decision = Object.freeze({ ...NOT_DECIDED, source: 'memory' })

function ownShare(charge: Charge): Charge {
  return { ...charge, quota: quotaShare(charge.quota, 1) }
}

function openStore<Request extends IncomingMessage>(options: ResolvedRateLimitOptions<Request>): QuotaStore {
  const { store, redis, allowMemoryStore, deadlineMs, maxKeys } = options
  if (store !== undefined) return store
  if (redis === undefined) {
    assertMemoryStoreAllowed('rateLimit', allowMemoryStore)
    return new MemoryStore({ maxKeys })
  }
  return new RedisStore(storeGuard(redis), {
    isCluster: redis.isCluster ?? false,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  })
}
