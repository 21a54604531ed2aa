import { FailureWindow } from './failure-window.js'

/** `closed`: calls go through; `open`: none does; `half-open`: a few probes find out. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** What a call has shown: `none` if it says nothing of the other side, as when its caller left. */
export type Verdict = 'ok' | 'failed' | 'none'

export interface BreakerPolicy {
  readonly failureRatio: number
  readonly windowMs: number
  readonly minCalls: number
  readonly openMs: number
  readonly probes: number
}

/** The right to make one call. It belongs to one period of the breaker: what began in an earlier one is not heard. */
export type Permit = number

/**
 * Stops calls to what fails. It opens when, of at least `minCalls` within `windowMs`, the share `failureRatio` has failed;
 * after `openMs` it lets `probes` calls through, closes when each of them went well, and opens again with the first that
 * did not. It has no timer and no clock: each answer depends on what it was told and the time given.
 *
 * Each permit must be given back by `report`; whoever makes the call bounds its time.
 */
export class Breaker {
  readonly #policy: BreakerPolicy
  readonly #window: FailureWindow
  readonly #onChange: (state: BreakerState, calls: number, failures: number) => void
  #state: BreakerState = 'closed'
  #period: Permit = 0
  #openUntil = 0
  /** Probes that are under way, and those that went well. */
  #probing = 0
  #passed = 0

  constructor(
    policy: BreakerPolicy,
    onChange: (state: BreakerState, calls: number, failures: number) => void,
  ) {
    this.#policy = policy
    this.#window = new FailureWindow(policy.windowMs)
    this.#onChange = onChange
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether `admit` would refuse. It changes nothing. */
  refuses(nowMs: number): boolean {
    if (this.#state === 'open') return nowMs < this.#openUntil
    return this.#state === 'half-open' && this.#probing + this.#passed >= this.#policy.probes
  }

  /** @returns `undefined` if the call must not be made */
  admit(nowMs: number): Permit | undefined {
    if (this.#state === 'closed') return this.#period
    if (this.refuses(nowMs)) return undefined
    if (this.#state === 'open') this.#enter('half-open', nowMs)
    this.#probing++
    return this.#period
  }

  report(permit: Permit, verdict: Verdict, nowMs: number): void {
    if (permit !== this.#period) return
    if (this.#state === 'half-open') this.#judgeProbe(verdict, nowMs)
    else if (verdict !== 'none') this.#judge(verdict === 'failed', nowMs)
  }

  /** How long until a call may go through, ms; a moment if probes are under way. */
  retryAfterMs(nowMs: number): number {
    return this.#state === 'open' ? Math.max(0, this.#openUntil - nowMs) : 0
  }

  #judgeProbe(verdict: Verdict, nowMs: number): void {
    this.#probing--
    if (verdict === 'failed') this.#enter('open', nowMs)
    else if (verdict === 'ok' && ++this.#passed >= this.#policy.probes) this.#enter('closed', nowMs)
  }

  #judge(hasFailed: boolean, nowMs: number): void {
    this.#window.record(hasFailed, nowMs)
    if (!hasFailed) return
    const { calls, failures } = this.#window.read(nowMs)
    if (calls < this.#policy.minCalls || failures < calls * this.#policy.failureRatio) return
    this.#enter('open', nowMs)
  }

  #enter(state: BreakerState, nowMs: number): void {
    const { calls, failures } = this.#window.read(nowMs)
    this.#state = state
    this.#period++
    this.#probing = 0
    this.#passed = 0
    if (state === 'open') this.#openUntil = nowMs + this.#policy.openMs
    if (state === 'closed') this.#window.clear()
    this.#onChange(state, calls, failures)
  }
}
