import { backoffMs } from '../algorithms/backoff.js'
import { CallAborted } from '../errors.js'
import type { Attempt } from './attempt.js'
import { type Judge, type Outcome, SAYS_NOTHING } from './judge.js'
import type { Lifeline } from './lifeline.js'
import type { PolicyState } from './policy-state.js'
import { type Plan, Try } from './try.js'

/** One call with all its tries: repeated after a pause, or sent twice, as far as that is allowed and the budget goes. */
export class Call<Value> implements Plan<Value> {
  tries = 0
  hedges = 0

  constructor(
    readonly shared: PolicyState,
    readonly life: Lifeline,
    readonly judge: Judge<Value>,
    readonly task: (attempt: Attempt) => PromiseLike<Value> | Value,
    readonly canHedge: boolean,
  ) {}

  started(): number {
    return ++this.tries
  }

  async run(): Promise<Outcome<Value>> {
    this.shared.budget.deposit()
    for (let repeated = 0; ; repeated++) {
      const outcome = await this.#tryOnce()
      const pauseMs = this.#pauseBeforeNext(outcome, repeated)
      if (pauseMs === undefined) return outcome
      if ('value' in outcome) this.judge.discard(outcome.value)
      if (!(await this.life.sleep(pauseMs))) return { error: this.life.ended!.cause, finding: SAYS_NOTHING }
    }
  }

  /** @returns `undefined` if it stays with this outcome */
  #pauseBeforeNext({ finding }: Outcome<Value>, repeated: number): number | undefined {
    const { options, breaker, budget } = this.shared
    if (!finding.mayRepeat || repeated >= options.maxRetries || this.life.ended !== undefined)
      return undefined
    const pauseMs =
      finding.afterMs + backoffMs(repeated, options.retryBaseMs, options.retryMaxMs, Math.random())
    if (pauseMs >= this.life.remainingMs || breaker.refuses(performance.now())) return undefined
    return budget.withdraw() ? pauseMs : undefined
  }

  #tryOnce(): Promise<Outcome<Value>> {
    const { hedgeAfterMs } = this.shared.options
    return this.canHedge && hedgeAfterMs !== undefined ? this.#tryTwice(hedgeAfterMs) : new Try(this).run()
  }

  /** Sends it once more when it has taken long. The first that goes well counts; of two that fail the last. */
  #tryTwice(hedgeAfterMs: number): Promise<Outcome<Value>> {
    return new Promise((resolve) => {
      const open = new Set<Try<Value>>()
      const start = (): void => {
        const one = new Try<Value>(this)
        open.add(one)
        one.run().then((outcome) => ended(one, outcome))
      }
      const ended = (one: Try<Value>, outcome: Outcome<Value>): void => {
        if (!open.delete(one)) {
          if ('value' in outcome) this.judge.discard(outcome.value)
          return
        }
        const isGood = outcome.finding.verdict === 'ok'
        if (!isGood && open.size > 0) {
          if ('value' in outcome) this.judge.discard(outcome.value)
          return
        }
        clearTimeout(timer)
        const losers = [...open]
        open.clear()
        for (const loser of losers) loser.giveUp(new CallAborted(this.shared.name), 'none')
        resolve(outcome)
      }
      const hedge = (): void => {
        if (!this.shared.budget.withdraw()) return
        this.hedges++
        start()
      }
      const timer = setTimeout(hedge, hedgeAfterMs)
      start()
    })
  }
}
