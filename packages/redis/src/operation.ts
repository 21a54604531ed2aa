import type { Breaker } from './breaker.js'
import { lateReplyChannel, type OperationMessage, operationChannel } from './channels.js'
import type { Waiting } from './deadlines.js'
import { RedisUnavailable, unavailableReason } from './errors.js'

/** One command on its way. */
export class Operation implements Waiting {
  dueAt: number = Number.POSITIVE_INFINITY
  settled = false
  readonly deadlineMs: number
  readonly #name: string
  readonly #startedAt: number
  readonly #breaker: Breaker
  readonly #resolve: (reply: unknown) => void
  readonly #reject: (error: unknown) => void
  readonly #onSilence: (breaker: Breaker, nowMs: number) => void

  constructor(
    name: string,
    deadlineMs: number,
    startedAt: number,
    breaker: Breaker,
    resolve: (reply: unknown) => void,
    reject: (error: unknown) => void,
    onSilence: (breaker: Breaker, nowMs: number) => void,
  ) {
    this.#name = name
    this.deadlineMs = deadlineMs
    this.#startedAt = startedAt
    this.#breaker = breaker
    this.#resolve = resolve
    this.#reject = reject
    this.#onSilence = onSilence
  }

  readonly onReply = (reply: unknown): void => {
    if (this.settled) {
      this.#reportLate()
      return
    }
    this.settled = true
    this.#breaker.succeed()
    this.#report('ok')
    this.#resolve(reply)
  }

  readonly onError = (error: unknown): void => {
    const reason = unavailableReason(error)
    if (this.settled) {
      if (reason !== 'connection') this.#reportLate()
      return
    }
    this.settled = true
    if (reason === undefined) {
      this.#breaker.succeed()
      this.#report('error')
      this.#reject(error)
    } else {
      this.#fail(reason === 'connection' && !this.#isWritten ? 'not-ready' : reason, performance.now(), error)
    }
  }

  /** False in the turn in which it was called: what fails then was refused by the client and never left. */
  get #isWritten(): boolean {
    return this.dueAt !== Number.POSITIVE_INFINITY
  }

  expire(nowMs: number): void {
    this.settled = true
    this.#fail('timeout', nowMs)
    this.#onSilence(this.#breaker, nowMs)
  }

  #fail(reason: 'timeout' | 'connection' | 'refused' | 'not-ready', nowMs: number, cause?: unknown): void {
    if (reason === 'not-ready') this.#breaker.abandon(nowMs)
    else this.#breaker.fail(nowMs)
    this.#report(reason)
    this.#reject(new RedisUnavailable(reason, { retryAfterMs: this.#breaker.retryAfterMs(nowMs), cause }))
  }

  #report(outcome: OperationMessage['outcome']): void {
    if (!operationChannel.hasSubscribers) return
    operationChannel.publish({
      operation: this.#name,
      outcome,
      durationMs: performance.now() - this.#startedAt,
    })
  }

  #reportLate(): void {
    if (!lateReplyChannel.hasSubscribers) return
    lateReplyChannel.publish({ operation: this.#name, durationMs: performance.now() - this.#startedAt })
  }
}
