import { lateReplyChannel, type OperationMessage, operationChannel } from '../channels.js'
import { RedisUnavailable, type UnavailableReason } from '../errors.js'
import { wordOf } from '../server-words.js'
import type { Waiting } from './deadlines.js'
import type { Link } from './link.js'

/** One command on its way. */
export class Operation implements Waiting {
  dueAt: number = Number.POSITIVE_INFINITY
  settled = false
  /** How long its reply is waited for, in ms. */
  readonly patienceMs: number
  readonly link: Link
  readonly #name: string
  readonly #startedAt: number
  readonly #resolve: (reply: unknown) => void
  readonly #reject: (error: unknown) => void
  readonly #onEnd: (operation: Operation, word: ReturnType<typeof wordOf>) => void
  #isWritten = false

  /** @param onEnd  told once when it is settled, with what the server said of itself if it refused */
  constructor(
    name: string,
    patienceMs: number,
    startedAt: number,
    link: Link,
    resolve: (reply: unknown) => void,
    reject: (error: unknown) => void,
    onEnd: (operation: Operation, word: ReturnType<typeof wordOf>) => void,
  ) {
    this.#name = name
    this.patienceMs = patienceMs
    this.#startedAt = startedAt
    this.link = link
    this.#resolve = resolve
    this.#reject = reject
    this.#onEnd = onEnd
  }

  /** It has left this process. What fails before was refused by the client. */
  wrote(nowMs: number): void {
    this.#isWritten = true
    this.link.wrote(nowMs)
  }

  readonly onReply = (reply: unknown): void => {
    this.#heard()
    if (this.settled) {
      this.#reportLate()
      return
    }
    this.#end()
    this.#report('ok')
    this.#resolve(reply)
  }

  readonly onError = (error: unknown): void => {
    if ((error as Error).name !== 'ReplyError') {
      if (this.#isWritten) this.link.lost()
      const reason = (error as Error).message === 'Command timed out' ? 'timeout' : 'connection'
      if (!this.settled) this.fail(this.#isWritten ? reason : 'not-ready', error)
      return
    }
    this.#heard()
    if (this.settled) {
      this.#reportLate()
      return
    }
    const word = wordOf(error as Error)
    if (word !== undefined) {
      this.fail(word.reason, error)
      return
    }
    this.#end()
    this.#report('error')
    this.#reject(error)
  }

  expire(): void {
    this.fail('timeout')
  }

  fail(reason: UnavailableReason, cause?: unknown): void {
    this.#end(cause)
    this.#report(reason)
    const retryAfterMs = this.link.retryAfterMs
    this.#reject(new RedisUnavailable(reason, { retryAfterMs, cause }))
  }

  #end(cause?: unknown): void {
    this.settled = true
    this.#onEnd(this, cause === undefined ? undefined : wordOf(cause as Error))
  }

  /** The server has said something: that it did is what counts for its link. */
  #heard(): void {
    if (this.#isWritten) this.link.answered(performance.now())
    else this.link.renewed(performance.now())
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
