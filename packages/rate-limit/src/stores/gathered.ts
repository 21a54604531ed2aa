import { slotOf } from '@scale/redis'
import type { Balance, Charge, StoreReply } from '../store.js'

/** Requests of one turn that spend the same from the same quotas, and who waits for the answer. */
export interface Gathered {
  readonly charges: readonly Charge[]
  readonly divisor: number
  count: number
  readonly waiting: Waiting[]
}

/** One caller. */
export interface Waiting {
  readonly count: number
  resolve(reply: StoreReply): void
  reject(error: unknown): void
}

/** Reads what the script says, number by number. */
export class ScriptReply {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  number(): number {
    const number = this.#bytes.readDoubleLE(this.#at)
    this.#at += Float64Array.BYTES_PER_ELEMENT
    return number
  }

  balances(count: number): Balance[] {
    const balances: Balance[] = []
    for (let left = count; left > 0; left--) {
      balances.push({
        remaining: this.number(),
        resetAfterMs: this.number(),
        waitMs: this.number(),
        windowId: this.number(),
      })
    }
    return balances
  }
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
): boolean {
  return (
    gathered.count > 0 &&
    count > 0 &&
    gathered.divisor === 1 &&
    divisor === 1 &&
    spendAlike(gathered.charges, charges) &&
    gathered.charges.every(({ key }, index) => key === charges[index]!.key)
  )
}

/** Requests in a row that are alike but for their keys. */
export interface Run {
  readonly first: Gathered
  times: number
}

/** A batch in runs: what is alike need be written, and read, but once. */
export function runsOf(batch: readonly Gathered[]): Run[] {
  const runs: Run[] = []
  let run: Run | undefined
  for (const gathered of batch) {
    if (run !== undefined && isAlike(run.first, gathered)) {
      run.times++
    } else {
      run = { first: gathered, times: 1 }
      runs.push(run)
    }
  }
  return runs
}

/** A run, as the script reads it. */
export function runText({ first: { charges, count, divisor }, times }: Run): string {
  let text = `${times} ${count} ${divisor}`
  for (const { quota, cost } of charges) text += ` ${quota.text} ${cost}`
  return text
}

function isAlike(one: Gathered, other: Gathered): boolean {
  return one.count === other.count && one.divisor === other.divisor && spendAlike(one.charges, other.charges)
}

function spendAlike(some: readonly Charge[], others: readonly Charge[]): boolean {
  if (some.length !== others.length) return false
  for (let index = 0; index < some.length; index++) {
    const [one, other] = [some[index]!, others[index]!]
    if (one.cost !== other.cost || one.quota.text !== other.quota.text) return false
  }
  return true
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
