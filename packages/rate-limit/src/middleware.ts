import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  contract,
  InvalidOption,
  type Middleware,
  type MiddlewareContract,
  type Next,
  prefetch,
  requestSlot,
} from '@scale/core'
import type { PolicyBound } from './algorithms/bound.js'
import { decisionChannel } from './channels.js'
import { ClientGone, QUOTA_EXCEEDED, REDUCED_CAPACITY, refusal } from './errors.js'
import { Limiter } from './limiter.js'
import {
  assertBlockMs,
  type RateLimitOptions,
  type ResolvedRateLimitOptions,
  resolveRateLimitOptions,
} from './options.js'
import type { PolicyCosts } from './request/costs.js'
import { isPending } from './request/lookups.js'
import type { LimitedRequest } from './request/partition.js'
import type { Spending, Subject } from './request/spending.js'
import { trustProxyDoctor } from './request/trust-proxy.js'
import { warnInHandler, warnTwice } from './request/warnings.js'
import { Announcer } from './response/announcer.js'
import type { Decision } from './response/decision.js'

/** The middleware, and the same limiter for calls without a request. */
export interface RateLimit<Request extends IncomingMessage = LimitedRequest> {
  (req: Request, res: ServerResponse, next: Next): void
  /** Only where everything is known before other middleware has run. See the option `early`. */
  [prefetch]?(req: Request): void
  /** Its quotas, and how it refuses. */
  readonly [contract]: MiddlewareContract
  /**
   * Takes `cost` units from the quotas of one partition, from all or from none.
   *
   * @param subject  who is counted: one key for all policies, or one for each by its name; those not named are left out
   * @param cost     units, an integer of 0 or more, under all policies or under each by its name. Default: the option `cost`
   * @throws {InvalidOption} the subject names no policy, or an unknown one; a partition or the cost is none
   * @throws {RateLimitStoreUnavailable} no answer, and `onStoreError` is `'closed'`; the cost may have been taken
   */
  consume(subject: Subject, cost?: PolicyCosts): Promise<Decision>
  /** The same without taking anything. */
  peek(subject: Subject, cost?: PolicyCosts): Promise<Decision>
  /** Makes the quotas of one partition whole again, and ends penalties. @throws {RedisUnavailable} no answer */
  reset(subject: Subject): Promise<void>
  /**
   * Refuses one partition for a time, whatever quota its requests have and whatever they cost. Nothing that is
   * spent or given back meanwhile ends it.
   *
   * @param options.blockMs  how long, in ms; a penalty that ends later stands
   * @throws {RedisUnavailable} no answer
   */
  penalize(subject: Subject, options: { blockMs: number }): Promise<void>
  /**
   * Replaces what a decision took by the real cost; once, and only where the option `settle` is given. What was too
   * much goes back to the window that it was taken from, or nowhere if that is over.
   *
   * @param decision  from `consume` or `decisionOf`
   * @param cost      units, an integer of 0 or more: under all policies, or under each by its name, where policies have costs of
   * their own
   * @throws {InvalidOption} the cost is something else; what was taken stays taken
   * @throws {RedisUnavailable} no answer
   */
  settle(decision: Decision, cost: PolicyCosts): Promise<void>
  /**
   * Gives back the quota that this process took in advance (`mode: 'leased'`), and the name, which another limiter may then have; to
   * be called as the process ends, before the client is closed, and where a limiter is made anew. What is asked afterwards is decided
   * by the store, request by request. Never rejects: what cannot be given back is reported on the channel
   * `scale:rate-limit:store-error`, and free again as its window ends.
   */
  close(): Promise<void>
  /** The most that each policy lets one partition have. Quotas that are functions are asked without a request. */
  bound(): PolicyBound[]
  /** What was decided for a request; `undefined` before that, and for one that was skipped. */
  decisionOf(req: Request): Decision | undefined
}

/**
 * Limits requests by one or more quotas.
 *
 * A refused request goes to the error handler as {@link RateLimited}: 429 with `Retry-After`.
 *
 * @throws {InvalidOption} an option is wrong, or another limiter counts under the same `name`
 * @throws {MemoryStoreRefused} neither `redis` nor `store`, where several processes are likely
 * @see docs/concepts/rate-limiting.md
 */
export function rateLimit<Request extends IncomingMessage = LimitedRequest>(
  options: RateLimitOptions<Request>,
): RateLimit<Request> {
  const resolved = resolveRateLimitOptions(options)
  const { skip, shadow, name, settle } = resolved
  const limiter = new Limiter(resolved)
  const { spendings } = limiter
  warnInHandler(name)
  const announcer = new Announcer(resolved.headers)
  const examine = trustProxyDoctor()
  const asked = requestSlot<Asked>(`rateLimit ${name}`)

  function rateLimit(req: Request, res: ServerResponse, next: Next): void {
    try {
      const early = asked.get(req)
      if (early?.decided !== undefined) {
        warnTwice(name)
        next()
        return
      }
      const made = early ?? ask(req)
      if (made.decision instanceof Promise) whenDecided(made, made.decision, req, res, next)
      else enforce(made, made.decision, req, res, next)
    } catch (error) {
      fail(error, next)
    }
  }

  async function whenDecided(
    made: Asked,
    decision: Promise<Decision>,
    req: Request,
    res: ServerResponse,
    next: Next,
  ): Promise<void> {
    let decided: Decision
    try {
      decided = await decision
    } catch (error) {
      fail(error, next)
      return
    }
    try {
      enforce(made, decided, req, res, next)
    } catch (error) {
      next(error)
    }
  }

  /** Nobody waits for the answer of a client that is gone, and nobody knows whom to count: it ends here. */
  function fail(error: unknown, next: Next): void {
    if (!(error instanceof ClientGone)) next(error)
  }

  function ask(req: Request): Asked {
    const startedAt = decisionChannel.hasSubscribers ? performance.now() : undefined
    const made: Asked = { spending: undefined, decision: SKIPPED, decided: undefined, startedAt }
    const skipped = skips(req)
    if (isPending(skipped)) {
      made.decision = skipped.then((isSkipped) => (isSkipped ? SKIPPED : decide(made, req)))
    } else if (!skipped) made.decision = decide(made, req)
    asked.set(req, made)
    return made
  }

  function skips(req: Request): boolean | Promise<boolean> {
    if (skip === undefined) return false
    const answer: unknown = skip(req) ?? false
    if (typeof answer === 'boolean') return answer
    // Who cannot be told apart is counted.
    if (isPending(answer)) return limiter.lookups.answerOr(answer, false).then(assertSkip)
    return assertSkip(answer)
  }

  function decide(made: Asked, req: Request): Decision | Promise<Decision> {
    examine(req as LimitedRequest)
    return limiter.whenKnown(spendings.ofRequest(req), (spending) => {
      made.spending = spending
      return limiter.consume(spending)
    })
  }

  function enforce(made: Asked, decision: Decision, req: Request, res: ServerResponse, next: Next): void {
    made.decided = decision
    if (decision === SKIPPED) {
      next()
      return
    }
    const refused = !decision.allowed
    if (decisionChannel.hasSubscribers) {
      const nowMs = performance.now()
      const durationMs = nowMs - (made.startedAt ?? nowMs)
      decisionChannel.publish({ limiter: name, refused, shadow, decision, durationMs })
    }
    if (typeof settle === 'function' && !refused) settleAtEnd(settle, decision, req, res)
    if (!shadow && made.spending !== undefined) announcer.announce(res, decision, made.spending.policies)
    if (refused && !shadow) next(refusal(decision, announcer.refuse(res, decision)))
    else next()
  }

  function settleAtEnd(costOf: CostOf<Request>, decision: Decision, req: Request, res: ServerResponse): void {
    const settleNow = async (): Promise<void> => {
      try {
        await limiter.settle(decision, costOf(req, res))
      } catch (error) {
        limiter.report('settle', error)
      }
    }
    // Who leaves before the answer gets nothing back: nobody knows what the request would have come to.
    res.once('finish', settleNow)
  }

  const middleware = Object.assign(rateLimit, { [contract]: contractOf(resolved) }) as RateLimit<Request>
  if (resolved.early ?? spendings.knownEarly) {
    middleware[prefetch] = (req) => {
      if (asked.get(req) !== undefined) return
      try {
        const { decision } = ask(req)
        // The middleware waits for it too, and reports; but it may never be reached, and then nobody else would listen.
        if (decision instanceof Promise) decision.catch(() => {})
      } catch {
        // Nothing is kept of it: the middleware asks again when it is its turn, and that error is reported.
      }
    }
  }
  middleware.consume = async (subject, cost) =>
    limiter.whenKnown(spendings.ofSubject(subject, cost), (spending) => limiter.consume(spending))
  middleware.peek = async (subject, cost) =>
    limiter.whenKnown(spendings.ofSubject(subject, cost), (spending) => limiter.peek(spending))
  middleware.reset = async (subject) => limiter.reset(subject)
  middleware.penalize = async (subject, options) => limiter.penalize(subject, assertBlockMs(options))
  middleware.settle = (decision, cost) => limiter.settle(decision, cost)
  middleware.close = () => limiter.close()
  middleware.bound = () => limiter.bound()
  middleware.decisionOf = (req) => {
    const decided = asked.get(req)?.decided
    return decided === SKIPPED ? undefined : decided
  }
  return middleware satisfies Middleware<Request>
}

function contractOf<Request extends IncomingMessage>({
  policies,
  shadow,
  onStoreError,
}: ResolvedRateLimitOptions<Request>): MiddlewareContract {
  if (shadow) return {}
  return {
    quotas: policies.map(({ name, quota, windowMs }) => ({
      name,
      quota: typeof quota === 'number' ? quota : undefined,
      windowMs,
    })),
    problems: [
      { status: 429, code: 'ERR_SCALE_RATE_LIMITED', type: QUOTA_EXCEEDED },
      ...(onStoreError === 'closed'
        ? [{ status: 503, code: 'ERR_SCALE_RATE_LIMIT_STORE_UNAVAILABLE', type: REDUCED_CAPACITY }]
        : []),
    ],
  }
}

type CostOf<Request> = (req: Request, res: ServerResponse) => PolicyCosts

/** What is kept on a request. */
interface Asked {
  /** Once it is known. */
  spending: Spending | undefined
  decision: Decision | Promise<Decision>
  /** Set once the middleware has acted on it. */
  decided: Decision | undefined
  /** `undefined` if nobody listened. */
  readonly startedAt: number | undefined
}

/** Of a request that is not counted. */
const SKIPPED: Decision = Object.freeze({
  allowed: true,
  retryAfterMs: 0,
  policies: Object.freeze([]),
  source: 'none',
})

function assertSkip(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw new InvalidOption(
    `rateLimit: \`skip\` must return true or false, or a promise of that, not what is of type ${typeof answer}.`,
  )
}
