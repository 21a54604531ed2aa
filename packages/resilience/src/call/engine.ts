import { resolveOptions } from '@scale/core'
import { Breaker, type BreakerState } from '../algorithms/breaker.js'
import { Bulkhead } from '../algorithms/bulkhead.js'
import { RetryBudget } from '../algorithms/retry-budget.js'
import { breakerChannel, type CallOutcome, callChannel } from '../channels.js'
import { CallAborted, UpstreamBusy, UpstreamTimeout, UpstreamUnavailable } from '../errors.js'
import { type PolicyOptions, policyChecks, policyDefaults } from '../options.js'
import type { Attempt } from './attempt.js'
import { Call } from './call.js'
import { type Substitute, within } from './fallback.js'
import type { Judge, Outcome } from './judge.js'
import { type Caller, Lifeline } from './lifeline.js'
import type { PolicyState } from './policy-state.js'

/** A call to be made. */
export interface Order<Value> {
  readonly task: (attempt: Attempt) => PromiseLike<Value> | Value
  readonly judge: Judge<Value>
  readonly caller: Caller
  /** It may be sent twice at once. */
  readonly canHedge: boolean
  readonly substitute: Substitute<Value> | undefined
  /** The failure that a value stands for. */
  readonly failureOf: (value: Value) => unknown
}

/** Makes calls: the state that they share, and the path of each from its beginning to its result. */
export class Engine {
  readonly shared: PolicyState

  constructor(owner: string, name: string, given: PolicyOptions | undefined) {
    const options = resolveOptions(owner, given, { checks: policyChecks, defaults: policyDefaults })
    const bulkhead = new Bulkhead(options.maxConcurrent, options.maxWaiting)
    const onChange = (state: BreakerState, calls: number, failures: number): void => {
      if (breakerChannel.hasSubscribers) breakerChannel.publish({ policy: name, state, calls, failures })
      if (state === 'open') bulkhead.refuseWaiting(() => new UpstreamUnavailable(name, options.openMs))
    }
    this.shared = {
      name,
      options,
      bulkhead,
      breaker: new Breaker(options, onChange),
      budget: new RetryBudget(options.retryRatio, options.retryBurst),
    }
  }

  async execute<Value>(order: Order<Value>): Promise<Value> {
    const { name, options } = this.shared
    const reserveMs = order.substitute === undefined ? 0 : options.fallbackMs
    const life = new Lifeline(name, options.deadlineMs, reserveMs, order.caller)
    const call = new Call(this.shared, life, order.judge, order.task, order.canHedge)
    let substitute: { value: Value } | undefined
    try {
      const outcome = await call.run()
      try {
        substitute = await this.#substitute(order, outcome)
      } finally {
        if (callChannel.hasSubscribers) this.#tell(call, outcome, substitute !== undefined)
      }
      if (substitute !== undefined) return substitute.value
      if ('error' in outcome) throw outcome.error
      return outcome.value
    } finally {
      life.release()
    }
  }

  /** @returns what the caller is given in place of a failure */
  async #substitute<Value>(
    { substitute, judge, failureOf }: Order<Value>,
    outcome: Outcome<Value>,
  ): Promise<{ value: Value } | undefined> {
    const isGood = 'value' in outcome && outcome.finding.verdict !== 'failed'
    if (substitute === undefined || isGood) return undefined
    const error = 'error' in outcome ? outcome.error : failureOf(outcome.value)
    // Nobody is there to be given anything.
    if (error instanceof CallAborted) return undefined
    const found = await within(this.shared.options.fallbackMs, substitute(error))
    if (found !== undefined && 'value' in outcome) judge.discard(outcome.value)
    return found
  }

  #tell<Value>(call: Call<Value>, outcome: Outcome<Value>, fallback: boolean): void {
    callChannel.publish({
      policy: this.shared.name,
      outcome: outcomeOf(outcome),
      fallback,
      tries: call.tries,
      hedges: call.hedges,
      durationMs: performance.now() - call.life.startedAt,
    })
  }
}

function outcomeOf<Value>(outcome: Outcome<Value>): CallOutcome {
  if (!('error' in outcome)) return outcome.finding.verdict === 'failed' ? 'failed' : 'ok'
  const { error } = outcome
  if (error instanceof UpstreamTimeout) return 'timeout'
  if (error instanceof UpstreamUnavailable) return 'open'
  if (error instanceof UpstreamBusy) return 'busy'
  return error instanceof CallAborted ? 'aborted' : 'failed'
}
