import type { Balance, DecisionSource, StoreReply } from '../store.js'

/** How one policy stands after a decision. */
export interface PolicyDecision {
  /** Name of the policy. */
  readonly policy: string
  /** Quota units per window. */
  readonly limit: number
  /** Units that can be spent now, 0 or more. */
  readonly remaining: number
  /** Time until there is more than that, in ms; 0 if nothing was spent. */
  readonly resetAfterMs: number
  /** Time until this policy admits the same request, in ms; 0 if now, Infinity if its cost is above the quota. */
  readonly retryAfterMs: number
  /** True if this policy was one of those that refused. */
  readonly violated: boolean
}

/** The answer to one request. */
export interface Decision {
  /** False if any policy refused; then none was charged. */
  readonly allowed: boolean
  /** Time until all policies admit the same request if nobody else spends, in ms; 0 if allowed. */
  readonly retryAfterMs: number
  /** One per policy that counted this request, in the order of the options. */
  readonly policies: readonly PolicyDecision[]
  /** Where it was decided. */
  readonly source: DecisionSource
}

/** What a decision needs to know of the policies it was made under, in the order of the balances. */
export interface DecidedPolicy {
  readonly name: string
  readonly limit: number
}

/** Puts a store's reply into the terms of the caller. */
export function toDecision(
  policies: readonly DecidedPolicy[],
  reply: StoreReply,
  allowed: boolean,
): Decision {
  const decided: PolicyDecision[] = []
  let retryAfterMs = 0
  for (let index = 0; index < policies.length; index++) {
    const one = policyDecision(policies[index]!, reply.balances[index]!, allowed)
    if (one.retryAfterMs > retryAfterMs) retryAfterMs = one.retryAfterMs
    decided.push(one)
  }
  return { allowed, retryAfterMs: allowed ? 0 : retryAfterMs, policies: decided, source: reply.source }
}

function policyDecision(policy: DecidedPolicy, balance: Balance, allowed: boolean): PolicyDecision {
  return {
    policy: policy.name,
    limit: policy.limit,
    remaining: balance.remaining,
    resetAfterMs: balance.resetAfterMs,
    retryAfterMs: balance.waitMs,
    violated: !allowed && balance.waitMs > 0,
  }
}
