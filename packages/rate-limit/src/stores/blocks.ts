import type { Balance, Charge, StoreReply } from '../store.js'

/** For how long a refusal is believed: a raised quota, a refund or a reset elsewhere takes effect within this time. */
const TRUST_MS = 1_000

/** A refusal that is known. */
interface Block {
  readonly charges: readonly Charge[]
  readonly balances: readonly Balance[]
  /** When the answer came, in ms of the monotonic clock: waits are counted from then, so none ends too early. */
  readonly answeredAt: number
  readonly until: number
}

/**
 * Remembers who was refused, so that asking again costs no round trip.
 *
 * Entries live in two generations that change places once a second: nothing is scanned and there is no timer. When it
 * is full, newcomers are not remembered; nobody is put out before his time, so new keys cannot flush it.
 */
export class Blocks {
  readonly #maxKeys: number
  #young = new Map<string, Block>()
  #old = new Map<string, Block>()
  #turnAt = 0

  /** @param maxKeys  refusals remembered at once, of one second. Default 50,000 */
  constructor(maxKeys: number = 50_000) {
    this.#maxKeys = maxKeys
  }

  /** Refusals that are remembered, those that are over included. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** The refusal of a request like this one, if it still stands. */
  find(charges: readonly Charge[], nowMs: number): StoreReply | undefined {
    if (this.#young.size === 0 && this.#old.size === 0) return undefined
    for (const { key } of charges) {
      const block = this.#young.get(key) ?? this.#old.get(key)
      if (block !== undefined && nowMs < block.until && covers(block, charges)) return refusal(block, nowMs)
    }
    return undefined
  }

  /** Notes a refusal. @param askedAt  no later than the moment when the store decided */
  add(charges: readonly Charge[], balances: readonly Balance[], askedAt: number, nowMs: number): void {
    let waitMs = 0
    let spent = -1
    for (let index = 0; index < balances.length; index++) {
      if (balances[index]!.waitMs <= waitMs) continue
      waitMs = balances[index]!.waitMs
      spent = index
    }
    if (spent === -1) return
    this.#turn(nowMs)
    const { key } = charges[spent]!
    if (this.#young.size >= this.#maxKeys && !this.#young.has(key)) return
    const until = Math.min(askedAt + waitMs, nowMs + TRUST_MS)
    this.#young.set(key, { charges, balances, answeredAt: nowMs, until })
  }

  /** Forgets a refusal, because its quota has changed. */
  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  /** What is in the old generation is older than `TRUST_MS`, and so is over. */
  #turn(nowMs: number): void {
    if (nowMs < this.#turnAt) return
    this.#turnAt = nowMs + TRUST_MS
    this.#old = this.#young
    this.#young = new Map()
  }
}

/** Whether a request would be refused for the same reason: the same quotas, not larger, and no smaller a cost. */
function covers({ charges }: Block, asked: readonly Charge[]): boolean {
  if (charges === asked) return true
  if (charges.length !== asked.length) return false
  return charges.every(({ key, quota, cost }, index) => {
    const other = asked[index]!
    return key === other.key && quota.text === other.quota.text && cost <= other.cost
  })
}

function refusal({ balances, answeredAt }: Block, nowMs: number): StoreReply {
  const elapsed = Math.floor(nowMs - answeredAt)
  return {
    granted: 0,
    source: 'block',
    balances: balances.map(({ remaining, resetAfterMs, waitMs, windowId }) => ({
      remaining,
      resetAfterMs: Math.max(0, resetAfterMs - elapsed),
      waitMs: waitMs === 0 ? 0 : Math.max(1, waitMs - elapsed),
      windowId,
    })),
  }
}
