import type { Balance, Charge, QuotaStore, Settlement, StoreReply } from '../store.js'
import { type Clock, monotonicClock } from './clock.js'

/** How much faster than the last lease the next one may be, at most. */
const GROWTH = 8

/** Quota that this process has taken in advance, for requests that spend the same. */
interface Lease {
  readonly charges: readonly Charge[]
  /** Requests that are still paid for. */
  left: number
  /** Requests that were paid for when it was taken. */
  size: number
  takenAt: number
  /** After this it may not be spent from, in ms. */
  until: number
  balances: readonly Balance[]
  /** Requests to ask for next. */
  next: number
  /** Who waits while the store is being asked. */
  waiting: Waiting[] | undefined
  /** Others are not to find it any more. */
  isDropped: boolean
}

interface Waiting {
  resolve(reply: StoreReply): void
  reject(error: unknown): void
}

/**
 * Takes quota in advance where demand is high, and decides in this process as long as it lasts.
 *
 * A lease was debited before it is spent, so leases admit nothing that was not paid for. It may be spent until the
 * window that it was taken from has ended, at most `leaseMs`; what is left then is given back. Its size follows demand:
 * one request at first, up to what was spent lately, never more than a fair part of what the others need too.
 */
export class LeasedStore implements QuotaStore {
  readonly #store: QuotaStore
  readonly #leaseMs: number
  readonly #processes: () => number
  readonly #clock: Clock
  readonly #maxKeys: number
  readonly #onError: (error: unknown) => void
  readonly #leases = new Map<string, Lease>()
  /** What the store has been asked for or given back, and has not answered yet. */
  readonly #underWay = new Set<Promise<void>>()
  #sweep: NodeJS.Timeout | undefined
  #closed = false

  /**
   * @param store              whom to take from
   * @param options.leaseMs    longest life of a lease, in ms
   * @param options.processes  how many processes there are now
   * @param options.maxKeys    leases held at once; beyond that each request asks the store
   * @param options.onError    what was left could not be given back; it is lost until its window ends
   */
  constructor(
    store: QuotaStore,
    options: {
      leaseMs: number
      processes: () => number
      maxKeys: number
      onError: (error: unknown) => void
      clock?: Clock
    },
  ) {
    this.#store = store
    this.#leaseMs = options.leaseMs
    this.#processes = options.processes
    this.#maxKeys = options.maxKeys
    this.#onError = options.onError
    this.#clock = options.clock ?? monotonicClock
  }

  consume(charges: readonly Charge[], count: number, divisor: number): StoreReply | Promise<StoreReply> {
    if (count !== 1 || this.#closed) return this.#store.consume(charges, count, divisor)
    const id = idOf(charges)
    const nowMs = this.#clock()
    let lease = this.#leases.get(id)
    if (lease === undefined) {
      if (this.#leases.size >= this.#maxKeys) return this.#store.consume(charges, 1, 1)
      lease = newLease(charges)
      this.#leases.set(id, lease)
      this.#sweep ??= setInterval(this.sweep, this.#leaseMs).unref()
    }
    if (lease.left > 0 && nowMs < lease.until) return spend(lease, nowMs)
    return this.#renew(lease, nowMs)
  }

  async settle(settlements: readonly Settlement[]): Promise<void> {
    await this.#store.settle(settlements)
  }

  async penalize(charges: readonly Charge[], blockMs: number): Promise<void> {
    this.#drop(charges, (lease) => this.#giveBack(lease))
    await this.#store.penalize(charges, blockMs)
  }

  async reset(charges: readonly Charge[]): Promise<void> {
    this.#drop(charges)
    await this.#store.reset(charges)
  }

  /** Gives back what is left of leases that are over, and forgets those that were not asked for. */
  readonly sweep = (): void => {
    const nowMs = this.#clock()
    for (const [id, lease] of this.#leases) {
      if (lease.waiting !== undefined || nowMs < lease.until) continue
      if (lease.left === 0 && nowMs >= lease.until + this.#leaseMs) this.#leases.delete(id)
      this.#giveBack(lease)
    }
    if (this.#leases.size === 0) {
      clearInterval(this.#sweep)
      this.#sweep = undefined
    }
  }

  /** Takes nothing in advance any more, and gives back what is left, also of leases that are still being asked for. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweep)
    for (const lease of this.#leases.values()) this.#giveBack(lease)
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #renew(lease: Lease, nowMs: number): StoreReply | Promise<StoreReply> {
    if (lease.waiting !== undefined) return wait(lease.waiting)
    if (lease.left > 0) this.#giveBack(lease)
    else if (lease.size > 0) lease.next = nextSize(lease, nowMs, this.#leaseMs)
    const reply = this.#store.consume(lease.charges, lease.next, 2 * this.#processes())
    if (!(reply instanceof Promise)) return this.#take(lease, reply, nowMs)
    lease.waiting = []
    const first = wait(lease.waiting)
    this.#follow(
      reply.then(
        (known) => this.#serve(lease, known, nowMs),
        (error: unknown) => {
          for (const { reject } of drain(lease)) reject(error)
        },
      ),
    )
    return first
  }

  /** Puts what was granted into the lease, and spends the first of it. */
  #take(lease: Lease, reply: StoreReply, askedAt: number): StoreReply {
    if (reply.granted === 0) {
      lease.left = 0
      lease.size = 0
      lease.next = 1
      return reply
    }
    lease.left = reply.granted
    lease.size = reply.granted
    lease.takenAt = askedAt
    lease.balances = reply.balances
    lease.until = askedAt + this.#leaseMs
    for (const [index, { quota }] of lease.charges.entries()) {
      // Quota of a window that has ended is worth nothing, and must not be spent in the next.
      if (quota.algorithm === 'fixed') {
        lease.until = Math.min(lease.until, askedAt + reply.balances[index]!.resetAfterMs)
      }
    }
    return { ...spend(lease, askedAt), source: reply.source }
  }

  #serve(lease: Lease, reply: StoreReply, askedAt: number): void {
    const waiting = drain(lease)
    const first = this.#take(lease, reply, askedAt)
    waiting.shift()?.resolve(first)
    const nowMs = this.#clock()
    for (const { resolve, reject } of waiting) {
      if (reply.granted === 0) resolve(reply)
      else if (lease.left > 0 && nowMs < lease.until) resolve(spend(lease, nowMs))
      else Promise.resolve(this.#renew(lease, nowMs)).then(resolve, reject)
    }
    // Nobody will spend what is left.
    if (this.#closed || lease.isDropped) this.#giveBack(lease)
  }

  #giveBack(lease: Lease): void {
    const { left, charges, balances } = lease
    if (left === 0) return
    lease.next = Math.max(1, lease.size - left)
    lease.left = 0
    lease.size = 0
    const settlements = charges
      .map(({ key, quota, cost }, index) => ({
        key,
        quota,
        units: -left * cost,
        windowId: balances[index]!.windowId,
      }))
      .filter(({ units }) => units < 0)
    this.#follow(Promise.resolve(this.#store.settle(settlements)).catch(this.#onError))
  }

  #follow(work: Promise<void>): void {
    const followed = work.finally(() => this.#underWay.delete(followed))
    this.#underWay.add(followed)
  }

  #drop(charges: readonly Charge[], onDrop: (lease: Lease) => void = () => {}): void {
    const keys = new Set(charges.map(({ key }) => key))
    for (const [id, lease] of this.#leases) {
      if (!lease.charges.some(({ key }) => keys.has(key))) continue
      this.#leases.delete(id)
      lease.isDropped = true
      onDrop(lease)
    }
  }
}

function newLease(charges: readonly Charge[]): Lease {
  return {
    charges,
    left: 0,
    size: 0,
    takenAt: 0,
    until: 0,
    balances: [],
    next: 1,
    waiting: undefined,
    isDropped: false,
  }
}

function spend(lease: Lease, nowMs: number): StoreReply {
  lease.left--
  const elapsed = nowMs - lease.takenAt
  return {
    granted: 1,
    source: 'lease',
    balances: lease.balances.map(({ remaining, resetAfterMs, windowId }, index) => ({
      remaining: remaining + lease.left * lease.charges[index]!.cost,
      resetAfterMs: Math.max(0, resetAfterMs - elapsed),
      waitMs: 0,
      windowId,
    })),
  }
}

/** What would be spent in the life of the next lease, if demand stays as it was in this one. */
function nextSize({ size, takenAt }: Lease, nowMs: number, leaseMs: number): number {
  const asFast = Math.ceil((size * leaseMs) / Math.max(1, nowMs - takenAt))
  return Math.max(1, Math.min(asFast, size * GROWTH))
}

function wait(waiting: Waiting[]): Promise<StoreReply> {
  return new Promise((resolve, reject) => {
    waiting.push({ resolve, reject })
  })
}

function drain(lease: Lease): Waiting[] {
  const waiting = lease.waiting ?? []
  lease.waiting = undefined
  return waiting
}

function idOf(charges: readonly Charge[]): string {
  let id = ''
  for (const { key, quota, cost } of charges) id += `${key} ${quota.text} ${cost} `
  return id
}
