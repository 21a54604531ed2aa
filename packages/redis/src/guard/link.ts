import { type BreakerCause, breakerChannel } from '../channels.js'
import type { BreakerState } from './breaker-state.js'
import type { Deadlines, Waiting } from './deadlines.js'

/** When a server counts as gone. */
export interface SilencePolicy {
  /** A server that was asked and has said nothing at all for this long opens the breaker, in ms. */
  readonly silenceMs: number
  /** After so much silence the connection is cut, in ms. */
  readonly reconnectAfterMs: number
}

/** What a link can see of its connection, and do to it. */
export interface Wire {
  /** Whether commands can be written. */
  isReady(): boolean
  /**
   * Tells one connection from the next, and whether anything has come over it: bytes count, whoever asked for them.
   *
   * @returns `undefined` if there is no connection
   */
  heard(): { readonly stream: object; readonly bytes: number } | undefined
  cut(): void
}

/** A connection on which nobody said anything for this long may have been forgotten by a firewall. */
const IDLE_MS = 10_000
/** How often silence is looked for, as a part of what is allowed. */
const LOOKS = 8

/**
 * The way to one server, and what is known of it: a circuit breaker that goes by evidence.
 *
 * A server is well as long as anything comes from it while somebody waits: a reply, also a late one or an error, or a part of
 * one. It opens by silence or by the loss of the connection, never by a count of misses: one pause makes many. Whatever comes
 * closes it at once, and so does a new connection. While it is open an operation costs a comparison, and nothing is sent to find
 * out: the answers that are still owed are the probe.
 */
export class Link implements Waiting {
  /** `host:port` of a Cluster node; empty for a client with one server. */
  readonly node: string
  dueAt: number = Number.POSITIVE_INFINITY
  /** It looks once more when nothing is owed, and then no further. */
  readonly settled = false
  readonly #policy: SilencePolicy
  readonly #wire: Wire
  readonly #deadlines: Deadlines
  #state: BreakerState = 'closed'
  /** Commands that were written and may still be answered. */
  #owed = 0
  /** Whether somebody has asked and nothing has come since, also if the client has given up waiting for it. */
  #isAsked = false
  /** The last sign of life; or since when somebody waits for one. */
  #aliveAt: number = Number.NEGATIVE_INFINITY
  /** Of the connection that was looked at last. */
  #stream: object | undefined
  #bytes = 0
  #isWatched = false
  /** Whether nobody had said anything for a long time when the oldest of what is owed was written. */
  #wasIdle = false

  constructor(node: string, policy: SilencePolicy, wire: Wire, deadlines: Deadlines) {
    this.node = node
    this.#policy = policy
    this.#wire = wire
    this.#deadlines = deadlines
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether an operation may pass. */
  admits(nowMs: number): boolean {
    return this.#state === 'closed' || this.#isRenewed(nowMs)
  }

  /** When it is worth asking again, in ms; 0 if now. */
  get retryAfterMs(): number {
    return this.#state === 'closed' ? 0 : this.#policy.silenceMs
  }

  /** A command has been written. */
  wrote(nowMs: number): void {
    this.#owed++
    if (this.#isAsked) return
    this.#isAsked = true
    this.#wasIdle = Number.isFinite(this.#aliveAt) && nowMs - this.#aliveAt > IDLE_MS
    this.#aliveAt = nowMs
    this.#look()
    // One watch at a time: the one of an earlier wait may still be there.
    if (this.#isWatched) return
    this.#isWatched = true
    this.#deadlines.add(this, this.#policy.silenceMs / LOOKS, nowMs)
  }

  /** A command has been answered, in time or late, well or with an error. */
  answered(nowMs: number): void {
    this.#owed--
    this.#alive(nowMs)
  }

  /**
   * A command will not be answered. If the connection is still there, the client gave up by itself (`commandTimeout`, too many
   * redirections): that is a miss and no loss, and the silence goes on.
   */
  lost(): void {
    this.#owed--
    if (!this.#wire.isReady()) this.unreachable()
  }

  /** There is no connection. */
  unreachable(): void {
    this.#look()
    this.#isAsked = this.#owed > 0
    this.#become('open', 'lost')
  }

  /** There is a new connection, over which something came. */
  renewed(nowMs: number): void {
    this.#alive(nowMs)
  }

  /** Called now and then while something is owed, when what was readable has been read. */
  expire(nowMs: number): void {
    this.#isWatched = false
    if (this.#look()) this.#alive(nowMs)
    const silentMs = nowMs - this.#aliveAt
    if (silentMs >= this.#policy.silenceMs) this.#become('open', 'silent')
    if (silentMs >= (this.#wasIdle ? this.#policy.silenceMs : this.#policy.reconnectAfterMs)) {
      // A peer that vanished without a word leaves a connection that is open for ever.
      this.#aliveAt = nowMs
      this.#isAsked = this.#owed > 0
      this.#wire.cut()
    }
    if (!this.#isAsked) return
    this.#isWatched = true
    this.#deadlines.add(this, this.#policy.silenceMs / LOOKS, nowMs)
  }

  #alive(nowMs: number): void {
    this.#aliveAt = nowMs
    this.#isAsked = this.#owed > 0
    this.#wasIdle = false
    this.#become('closed', 'answered')
  }

  /** Where nobody tells of a new connection it is noticed when somebody wants to use it. */
  #isRenewed(nowMs: number): boolean {
    if (!this.#wire.isReady() || this.#wire.heard()?.stream === this.#stream) return false
    this.#look()
    this.#alive(nowMs)
    return true
  }

  /** @returns whether anything came since the last look */
  #look(): boolean {
    const heard = this.#wire.heard()
    const isNews = heard?.stream === this.#stream && heard !== undefined && heard.bytes !== this.#bytes
    this.#stream = heard?.stream
    this.#bytes = heard?.bytes ?? 0
    return isNews
  }

  #become(state: BreakerState, cause: BreakerCause): void {
    const from = this.#state
    if (from === state) return
    this.#state = state
    if (breakerChannel.hasSubscribers) breakerChannel.publish({ from, to: state, cause, node: this.node })
  }
}
