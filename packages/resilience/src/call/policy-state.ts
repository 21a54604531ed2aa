import type { ResolvedOptions } from '@scale/core'
import type { Breaker } from '../algorithms/breaker.js'
import type { Bulkhead } from '../algorithms/bulkhead.js'
import type { RetryBudget } from '../algorithms/retry-budget.js'
import type { PolicyDefaults, PolicyOptions } from '../options.js'

/** What all calls of one policy share. */
export interface PolicyState {
  readonly name: string
  readonly options: Readonly<ResolvedOptions<PolicyOptions, PolicyDefaults>>
  readonly breaker: Breaker
  readonly bulkhead: Bulkhead
  readonly budget: RetryBudget
}
