import type { Costs } from './comparison.js'
import type { ServerVariant, Variants } from './variant.js'

/** Figures of several generations: the middle one, the least and the greatest. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** @param values  one or more */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: sorted[sorted.length >> 1]!, low: sorted[0]!, high: sorted.at(-1)! }
}

/** What a variant costs as a share of another, less 1: what it adds. */
export function shareOnTop(costs: Costs, name: string, against: string): Spread {
  const base = costs.get(against)!
  return spreadOf(costs.get(name)!.map((cost, generation) => cost / base[generation]! - 1))
}

/** What a call costs beyond `nothing`, as a share of what the call `unit` costs beyond it. */
export function shareOf(costs: Costs, name: string, unit: string, nothing: string): Spread {
  const idle = costs.get(nothing)!
  const units = costs.get(unit)!
  return spreadOf(
    costs
      .get(name)!
      .map((cost, generation) => (cost - idle[generation]!) / (units[generation]! - idle[generation]!)),
  )
}

/** `0.12  (0.10 to 0.15)`, as wide in each row. */
export function spreadText({ median, low, high }: Spread): string {
  return `${median.toFixed(2).padStart(6)}  (${low.toFixed(2)} to ${high.toFixed(2)})`.padEnd(26)
}

/** A row for each variant: what it adds to the one it is measured against, whose answer is called `what`. */
export function printOnTop(costs: Costs, variants: Variants<ServerVariant>, what: string): void {
  const [first] = costs.keys()
  const micros = spreadOf(costs.get(first!)!).median
  console.log(`CPU on top of ${what} (${micros.toFixed(0)} µs here), as a share of it:`)
  console.log('median  (lowest to highest of the generations)')
  for (const name of costs.keys()) {
    const { against = first! } = variants[name]!
    if (name !== against) console.log(`${spreadText(shareOnTop(costs, name, against))}  ${name}`)
  }
}
