/** Units under every policy, or under each by its name; those that are not named stay as they are. */
export type PolicyCosts = number | Readonly<Record<string, number>>

/** What one policy costs; `undefined` if nothing is said of it. */
export function costFor(policy: string, costs: PolicyCosts | undefined): number | undefined {
  return typeof costs === 'object' ? costs[policy] : costs
}
