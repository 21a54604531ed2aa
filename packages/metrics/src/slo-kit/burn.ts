import type { ResolvedObjective, Slo } from './objective.js'

/** When a burning budget is worth whom. */
export interface Burn {
  long: string
  short: string
  severity: 'page' | 'ticket'
  /** What it would spend in the long window: 0.02 of the budget. */
  spent: number
  hours: number
}

/**
 * A long window so that it is no blip, and a short one so that the alert ends soon after the trouble.
 *
 * @see https://sre.google/workbook/alerting-on-slos/
 */
export const burns: readonly Burn[] = Object.freeze<Burn[]>([
  { long: '1h', short: '5m', severity: 'page', spent: 0.02, hours: 1 },
  { long: '6h', short: '30m', severity: 'page', spent: 0.05, hours: 6 },
  { long: '1d', short: '2h', severity: 'ticket', spent: 0.1, hours: 24 },
  { long: '3d', short: '6h', severity: 'ticket', spent: 0.1, hours: 72 },
])

/** Windows over which the share of bad requests is recorded. */
export const windows: readonly string[] = ['5m', '30m', '1h', '2h', '6h', '1d', '3d']

/** How many times faster than would just last: of 30 days 14.4, 6, 3 and 1. What would last is no alarm. */
export function burnFactor({ spent, hours }: Burn, { windowDays }: Slo): number {
  return Math.max(1, rounded((spent * 24 * windowDays) / hours))
}

/**
 * The share of bad requests above which it burns so fast. However low a target is: a service of which nineteen in twenty
 * requests fail is always above it.
 */
export function threshold(burn: Burn, { target }: ResolvedObjective, slo: Slo): number {
  return Math.min(rounded(burnFactor(burn, slo) * (1 - target)), 0.95)
}

/** Without the last digits that the binary form makes. */
export function rounded(value: number): number {
  return Number(value.toFixed(9))
}
