import { introspectionChannel } from '../../channels.js'
import { IntrospectionUnavailable, UnusableAnswer, VerificationBusy } from '../../errors.js'
import { fetchObject } from '../../keys/fetch-object.js'
import { turns } from '../turns.js'
import { questionAbout } from './client-authentication.js'
import {
  type IntrospectionConfig,
  type IntrospectionOptions,
  resolveIntrospectionOptions,
} from './options.js'

/** A provider that is asked about tokens. */
export interface Introspection {
  /** How long what it says of an active token counts, in ms. */
  readonly maxActiveMs: number
  /** How long what it says of one that is not active counts, in ms. */
  readonly maxInactiveMs: number
  /**
   * What the provider says of a token.
   *
   * @returns `undefined` if it is not active
   * @throws {IntrospectionUnavailable} there was no answer that can be used: nobody knows
   * @throws {VerificationBusy} too many ask at once
   */
  ask(token: string): Promise<Readonly<Record<string, unknown>> | undefined>
  /** For tests: a clock that nobody sets, in ms. */
  clock(): number
}

const MAX_BACKOFF_MS = 60_000
const MAX_WAITING = 1_000

/**
 * Asks the provider about tokens that say nothing themselves.
 *
 * After a failure it is left alone for a while, longer after each; tokens that are not known are a 503 then, never a 401.
 *
 * @param endpoint  its `introspection_endpoint`, `https:`
 * @throws {InvalidOption} the address or an option is wrong
 * @see RFC 7662 · docs/concepts/tokens.md
 */
export function introspection(endpoint: string | URL, options: IntrospectionOptions): Introspection {
  return new Asker(resolveIntrospectionOptions(endpoint, options))
}

class Asker implements Introspection {
  readonly maxActiveMs: number
  readonly maxInactiveMs: number
  readonly clock: () => number
  readonly #config: IntrospectionConfig
  readonly #inTurn: ReturnType<typeof turns>
  /** Failures since the last answer, and when the provider may be asked again. */
  #failures = 0
  #failure: unknown
  #retryAt: number = Number.NEGATIVE_INFINITY

  constructor(config: IntrospectionConfig) {
    this.#config = config
    this.maxActiveMs = config.maxActiveMs
    this.maxInactiveMs = config.maxInactiveMs
    this.clock = config.clock ?? (() => performance.now())
    this.#inTurn = turns(config.maxConcurrent, MAX_WAITING, () => new VerificationBusy())
  }

  ask(token: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    return this.#inTurn(() => this.#ask(token))
  }

  async #ask(token: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    if (this.clock() < this.#retryAt) throw this.#unavailable()
    const startedAt = performance.now()
    try {
      const { url } = this.#config
      const question = await questionAbout(token, this.#config)
      const answer = await fetchObject(url, question, this.#config, unusable)
      if (typeof answer.active !== 'boolean') throw new UnusableAnswer('it has no `active`')
      this.#failures = 0
      this.#report(answer.active ? 'active' : 'inactive', startedAt)
      return answer.active ? answer : undefined
    } catch (error) {
      this.#failed(error)
      this.#report('failed', startedAt, error)
      throw this.#unavailable()
    }
  }

  /** Of several that fail at once, only the first makes the pause longer. */
  #failed(error: unknown): void {
    this.#failure = error
    if (this.clock() < this.#retryAt) return
    const pauseMs = Math.min(MAX_BACKOFF_MS, this.#config.backoffMs * 2 ** this.#failures)
    this.#failures++
    // Half of it at random, so that many processes do not come back together.
    this.#retryAt = this.clock() + pauseMs * (0.5 + Math.random() / 2)
  }

  #unavailable(): IntrospectionUnavailable {
    return new IntrospectionUnavailable(this.#retryAt - this.clock(), this.#failure)
  }

  #report(outcome: 'active' | 'inactive' | 'failed', startedAt: number, error?: unknown): void {
    if (!introspectionChannel.hasSubscribers) return
    const { origin, pathname } = this.#config.url
    const durationMs = performance.now() - startedAt
    introspectionChannel.publish({ url: origin + pathname, outcome, durationMs, error })
  }
}

function unusable(problem: string, answered?: number): UnusableAnswer {
  return new UnusableAnswer(problem, { answered })
}
