import type { IncomingMessage, ServerResponse } from 'node:http'
import { requestDeadline } from '@scale/core'
import type { Verdict } from '../algorithms/breaker.js'
import { CallAborted, UpstreamTimeout } from '../errors.js'

/** Whom a call is for. */
export interface Caller {
  /** The request that is being answered: the call ends with it, and by its deadline. */
  req?: IncomingMessage | undefined
  /** Ends the call when it aborts. */
  signal?: AbortSignal | null | undefined
  /** Shortens the deadline of this call. */
  deadlineMs?: number | undefined
}

/** Why a call was ended before it was over, and what that says of the other side. */
export interface End {
  readonly cause: UpstreamTimeout | CallAborted
  readonly verdict: Verdict
}

type Listener = (end: End) => void

/**
 * How long a call may live: until its deadline, or until its caller leaves. It lasts as long as anything of the call is
 * under way, be it the body of a response, and lets go of timer and listeners then.
 */
export class Lifeline {
  readonly startedAt: number = performance.now()
  readonly deadlineAt: number
  ended: End | undefined
  readonly #policy: string
  readonly #listeners = new Set<Listener>()
  readonly #caller: Caller
  #timer: NodeJS.Timeout | undefined
  #holds = 1

  constructor(policy: string, deadlineMs: number, reserveMs: number, caller: Caller) {
    this.#policy = policy
    this.#caller = caller
    const ownAt = this.startedAt + deadlineMs
    const givenAt = Math.min(
      caller.req ? requestDeadline(caller.req) : Number.POSITIVE_INFINITY,
      this.startedAt + (caller.deadlineMs ?? Number.POSITIVE_INFINITY),
    )
    const wholeMs = Math.min(ownAt, givenAt) - this.startedAt
    this.deadlineAt = this.startedAt + wholeMs - Math.min(reserveMs, wholeMs / 2)
    // A caller that is in a hurry says nothing of the other side, and must not be able to have it left alone.
    const verdict = givenAt < ownAt ? 'none' : 'failed'
    this.#watch(verdict)
  }

  get remainingMs(): number {
    return this.deadlineAt - performance.now()
  }

  onEnd(listener: Listener): void {
    this.#listeners.add(listener)
  }

  offEnd(listener: Listener): void {
    this.#listeners.delete(listener)
  }

  /** Something more of the call is under way. */
  hold(): void {
    this.#holds++
  }

  release(): void {
    if (--this.#holds > 0) return
    clearTimeout(this.#timer)
    responseOf(this.#caller.req)?.off('close', this.#left)
    this.#caller.signal?.removeEventListener('abort', this.#left)
  }

  /** @returns false if the call was ended meanwhile */
  sleep(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.offEnd(done)
        resolve(this.ended === undefined)
      }
      const timer = setTimeout(done, ms)
      this.onEnd(done)
    })
  }

  #watch(verdict: Verdict): void {
    const { req, signal } = this.#caller
    const res = responseOf(req)
    if (signal?.aborted || (res !== undefined && hasLeft(res))) {
      this.#end(new CallAborted(this.#policy, signal?.reason), 'none')
      return
    }
    const ms = Math.max(0, this.deadlineAt - this.startedAt)
    const end = (): void => this.#end(new UpstreamTimeout(this.#policy, ms), verdict)
    if (ms === 0) {
      end()
      return
    }
    this.#timer = setTimeout(end, ms)
    res?.once('close', this.#left)
    signal?.addEventListener('abort', this.#left, { once: true })
  }

  readonly #left = (): void => {
    const { req, signal } = this.#caller
    // A response that is complete may have started what goes on after it.
    if (!signal?.aborted && responseOf(req)?.writableFinished) return
    this.#end(new CallAborted(this.#policy, signal?.reason), 'none')
  }

  #end(cause: End['cause'], verdict: Verdict): void {
    if (this.ended !== undefined) return
    this.ended = { cause, verdict }
    for (const listener of [...this.#listeners]) listener(this.ended)
  }
}

function hasLeft(res: ServerResponse): boolean {
  return (res.closed || res.destroyed) && !res.writableFinished
}

function responseOf(req: IncomingMessage | undefined): ServerResponse | undefined {
  return (req as { res?: ServerResponse } | undefined)?.res
}
