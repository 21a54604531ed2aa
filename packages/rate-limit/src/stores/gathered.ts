import { slotOf } from '@scale/redis'
import type { Balance, Charge, StoreReply } from '../store.js'

/** Requests of one turn that spend the same from the same quotas, and who waits for the answer. */
export interface Gathered {
  readonly charges: readonly Charge[]
  readonly divisor: number
  readonly terms: string
  count: number
  readonly waiting: Waiting[]
}

/** One caller. */
export interface Waiting {
  readonly count: number
  resolve(reply: StoreReply): void
  reject(error: unknown): void
}

/** Reads what a script says of one request. */
export function balancesAt(reply: readonly number[], start: number, length: number): Balance[] {
  const balances: Balance[] = []
  for (let at = start; at < start + length * 4; at += 4) {
    const waitMs = reply[at + 2]!
    balances.push({
      remaining: reply[at]!,
      resetAfterMs: reply[at + 1]!,
      waitMs: waitMs === -1 ? Number.POSITIVE_INFINITY : waitMs,
      windowId: reply[at + 3]!,
    })
  }
  return balances
}

/** All keys of a request share a hash tag, so the first one speaks for them. */
export function bySlot(all: readonly Gathered[]): Gathered[][] {
  const groups = new Map<number, Gathered[]>()
  for (const gathered of all) {
    const slot = slotOf(gathered.charges[0]!.key)
    const group = groups.get(slot)
    if (group === undefined) groups.set(slot, [gathered])
    else group.push(gathered)
  }
  return [...groups.values()]
}

/**
 * Whether a request asks the same as those that were gathered. To look and to spend do not mix: who looks must not see
 * what others spend later.
 */
export function isEqual(
  gathered: Gathered,
  charges: readonly Charge[],
  count: number,
  divisor: number,
  terms: string,
): boolean {
  return (
    gathered.count > 0 &&
    count > 0 &&
    gathered.divisor === 1 &&
    divisor === 1 &&
    gathered.terms === terms &&
    gathered.charges.length === charges.length &&
    gathered.charges.every(({ key }, index) => key === charges[index]!.key)
  )
}

/** What a request spends, as the scripts read it. */
export function termsOf(charges: readonly Charge[]): string {
  let terms = ''
  for (const { quota, cost } of charges) terms += ` ${quota.text} ${cost}`
  return terms
}

/** The first come are the first admitted, and each is told what was left right after it. */
export function share(gathered: Gathered, granted: number, balances: readonly Balance[]): void {
  let left = granted
  for (const { count, resolve } of gathered.waiting) {
    const own = Math.min(count, left)
    left -= own
    resolve({
      granted: own,
      balances: own > 0 && left > 0 ? before(gathered, balances, left) : balances,
      source: 'redis',
    })
  }
}

/** The balances as they were before the last `later` requests. */
function before({ charges }: Gathered, balances: readonly Balance[], later: number): readonly Balance[] {
  return balances.map((balance, index) => ({
    ...balance,
    remaining: balance.remaining + later * charges[index]!.cost,
    waitMs: 0,
  }))
}
