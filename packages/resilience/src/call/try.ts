import type { Permit, Verdict } from '../algorithms/breaker.js'
import { UpstreamBusy, UpstreamTimeout, UpstreamUnavailable } from '../errors.js'
import type { Attempt } from './attempt.js'
import { type Finding, type Judge, type Outcome, SAYS_NOTHING } from './judge.js'
import type { End, Lifeline } from './lifeline.js'
import type { PolicyState } from './policy-state.js'

/** What all tries of one call have in common. */
export interface Plan<Value> {
  readonly shared: PolicyState
  readonly life: Lifeline
  readonly judge: Judge<Value>
  readonly task: (attempt: Attempt) => PromiseLike<Value> | Value
  /** A try begins, after all waiting. @returns its number */
  started(): number
}

/** One try: passes breaker and bulkhead, runs the task no longer than it may, and reports how it went. */
export class Try<Value> implements Attempt {
  number = 0
  readonly #plan: Plan<Value>
  #controller: AbortController | undefined
  #timer: NodeJS.Timeout | undefined
  /** Until its verdict was reported. */
  #permit: Permit | undefined
  #end: Promise<Verdict> | undefined
  /** Why it was given up. */
  #givenUp: { cause: unknown; verdict: Verdict } | undefined
  #isOver = false
  #reject: ((cause: unknown) => void) | undefined

  constructor(plan: Plan<Value>) {
    this.#plan = plan
  }

  get deadlineAt(): number {
    return this.#plan.life.deadlineAt
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#givenUp !== undefined) this.#controller.abort(this.#givenUp.cause)
    }
    return this.#controller.signal
  }

  until(end: Promise<Verdict>): void {
    this.#end = end
  }

  /** Gives it up. */
  giveUp(cause: unknown, verdict: Verdict): void {
    if (this.#isOver || this.#givenUp !== undefined) return
    this.#givenUp = { cause, verdict }
    this.#controller?.abort(cause)
    this.#reject?.(cause)
  }

  async run(): Promise<Outcome<Value>> {
    const refusal = await this.#enter()
    if (refusal !== undefined) return { error: refusal, finding: SAYS_NOTHING }
    const { life, judge } = this.#plan
    this.#begin()
    try {
      const value = await this.#runTask()
      clearTimeout(this.#timer)
      const finding = judge.ofValue(value)
      if (finding.verdict !== 'ok') this.#report(finding.verdict)
      if (this.#end === undefined) this.#finish(finding.verdict)
      else this.#end.then((verdict) => this.#finish(this.#givenUp?.verdict ?? verdict))
      return { value, finding }
    } catch (error) {
      const finding = this.#findingOf(error)
      this.#finish(finding.verdict)
      return { error: life.ended?.cause ?? error, finding }
    }
  }

  /** Why nobody waits for it any more. */
  get #gone(): unknown {
    return this.#plan.life.ended?.cause ?? this.#givenUp?.cause
  }

  /** @returns why it may not begin */
  async #enter(): Promise<unknown> {
    const { breaker, bulkhead, name } = this.#plan.shared
    if (this.#gone !== undefined) return this.#gone
    if (breaker.refuses(performance.now())) return this.#unavailable()
    if (!bulkhead.tryEnter()) {
      if (!bulkhead.hasPlaceToWait) return new UpstreamBusy(name)
      const refusal = await this.#wait()
      if (refusal !== undefined) return refusal
    }
    const gone = this.#gone
    this.#permit = gone === undefined ? breaker.admit(performance.now()) : undefined
    if (this.#permit !== undefined) return undefined
    bulkhead.leave()
    return gone ?? this.#unavailable()
  }

  async #wait(): Promise<unknown> {
    const { life, shared } = this.#plan
    let onEnd: ((end: End) => void) | undefined
    try {
      await shared.bulkhead.wait((refuse) => {
        this.#reject = refuse
        onEnd = ({ cause }) =>
          refuse(cause instanceof UpstreamTimeout ? new UpstreamBusy(shared.name) : cause)
        life.onEnd(onEnd)
      })
      return undefined
    } catch (refusal) {
      return refusal
    } finally {
      life.offEnd(onEnd!)
    }
  }

  #unavailable(): UpstreamUnavailable {
    const { breaker, name } = this.#plan.shared
    return new UpstreamUnavailable(name, breaker.retryAfterMs(performance.now()))
  }

  #begin(): void {
    const { life, shared } = this.#plan
    life.hold()
    life.onEnd(this.#lifeEnded)
    this.number = this.#plan.started()
    const { tryTimeoutMs } = shared.options
    if (tryTimeoutMs < life.remainingMs) {
      const giveUp = (): void => this.giveUp(new UpstreamTimeout(shared.name, tryTimeoutMs), 'failed')
      this.#timer = setTimeout(giveUp, tryTimeoutMs)
    }
  }

  readonly #lifeEnded = ({ cause, verdict }: End): void => this.giveUp(cause, verdict)

  /** A task that goes on after it was given up is heard no more. */
  #runTask(): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#reject = reject
      const take = (value: Value): void => {
        if (this.#givenUp === undefined) resolve(value)
        else this.#plan.judge.discard(value)
      }
      new Promise<Value>((settle) => settle(this.#plan.task(this))).then(take, reject)
    })
  }

  #findingOf(error: unknown): Finding {
    const finding = this.#plan.judge.ofError(error, this)
    const givenUp = this.#givenUp
    if (givenUp === undefined) return finding
    return { ...finding, verdict: givenUp.verdict }
  }

  #report(verdict: Verdict): void {
    if (this.#permit === undefined) return
    this.#plan.shared.breaker.report(this.#permit, verdict, performance.now())
    this.#permit = undefined
  }

  #finish(verdict: Verdict): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    const { life, shared } = this.#plan
    this.#report(verdict)
    shared.bulkhead.leave()
    life.offEnd(this.#lifeEnded)
    life.release()
  }
}
