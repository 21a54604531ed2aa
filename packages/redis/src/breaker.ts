import type { BreakerState } from './breaker-state.js'
import { breakerChannel } from './channels.js'

/** When to stop asking a server that fails, and when to ask again. */
export interface BreakerPolicy {
  /** Failures in a row that open the breaker. */
  failures: number
  /** Pause before a probe is let through, in ms. */
  pauseMs: number
}

/**
 * A circuit breaker that counts failures in a row.
 *
 * It holds no timer: the state is a comparison with the time, made when somebody asks.
 */
export class Breaker {
  /** What it guards: `host:port` of a Cluster node; empty for a client with one server. */
  readonly node: string
  readonly #policy: BreakerPolicy
  #state: BreakerState = 'closed'
  #failures = 0
  #probeAt = 0
  #probing = false
  #openedAt = 0

  constructor(node: string, policy: BreakerPolicy) {
    this.node = node
    this.#policy = policy
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether an operation that starts now would be let through. Changes nothing. */
  allows(nowMs: number): boolean {
    if (this.#state === 'closed') return true
    return this.#state === 'open' ? nowMs >= this.#probeAt : !this.#probing
  }

  /** Lets an operation through or not. After the pause the first one becomes the probe. */
  admit(nowMs: number): boolean {
    if (this.#state === 'closed') return true
    if (!this.allows(nowMs)) return false
    this.#become('half-open')
    this.#probing = true
    return true
  }

  /** An admitted operation was answered. */
  succeed(): void {
    this.#failures = 0
    this.#probing = false
    this.#become('closed')
  }

  /** An admitted operation was not answered. */
  fail(nowMs: number): void {
    this.#failures++
    this.#probing = false
    if (this.#state === 'closed') {
      if (this.#failures < this.#policy.failures) return
      this.#openedAt = nowMs
    }
    this.#probeAt = nowMs + this.#policy.pauseMs
    this.#become('open')
  }

  /** An admitted operation was never sent: that says nothing of the server, but if it was the probe, it is over. */
  abandon(nowMs: number): void {
    if (this.#state === 'half-open') this.fail(nowMs)
  }

  /** The connection is new: ask it at once, with one probe. */
  reconnected(nowMs: number): void {
    if (this.#state === 'closed') return
    this.#openedAt = nowMs
    this.#probing = false
    this.#become('half-open')
  }

  /** Time until a probe may pass, in ms; 0 if an operation may pass now. */
  retryAfterMs(nowMs: number): number {
    return this.#state === 'open' ? Math.max(0, this.#probeAt - nowMs) : 0
  }

  /** For how long the server has been failing, in ms; 0 while closed. */
  failingForMs(nowMs: number): number {
    return this.#state === 'closed' ? 0 : nowMs - this.#openedAt
  }

  #become(state: BreakerState): void {
    const from = this.#state
    if (from === state) return
    this.#state = state
    if (breakerChannel.hasSubscribers) breakerChannel.publish({ from, to: state, node: this.node })
  }
}
