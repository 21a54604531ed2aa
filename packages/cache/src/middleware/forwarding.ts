import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Coordinator, Want } from '../coordination/coordinator.js'
import type { Lease } from '../entries/entries.js'
import type { Entry } from '../entries/entry.js'
import type { StoredResponse } from '../http/stored-response.js'
import { keyBehind, variantKey } from '../http/vary.js'
import type { Answers } from './answers.js'
import type { ResolvedHttpOptions } from './options.js'
import type { Responses } from './responses.js'
import { HandlerRun } from './run.js'
import { shadowResponse } from './shadow-response.js'
import { adopting, type HttpCacheParts, type RunOutcome, type Settled, type Visit } from './visit.js'

/** Sends requests on to the handler: one for all who are after the same, where the response can be stored. */
export class Forwarding {
  readonly #options: ResolvedHttpOptions
  readonly #parts: HttpCacheParts
  readonly #coordinator: Coordinator
  readonly #responses: Responses
  readonly #answers: Answers

  constructor(options: ResolvedHttpOptions, parts: HttpCacheParts, responses: Responses, answers: Answers) {
    this.#options = options
    this.#parts = parts
    this.#coordinator = parts.coordinator
    this.#responses = responses
    this.#answers = answers
  }

  /**
   * Waits for whoever is after the same, or goes first.
   *
   * @param revalidate  a stored response is not to be used as it is
   */
  async collapse(visit: Visit, revalidate: boolean): Promise<void> {
    const { req, res, next, plan } = visit
    const giveUpAt = performance.now() + this.#parts.options.waitMs
    let key = this.#responses.keyOf(plan, req)
    const copy = this.#responses.here(plan, req, performance.now())
    if (copy?.kind === 'response' && isNeverFresh(copy.value)) return this.#revalidate(visit, key, copy)
    for (let cutOff = 0; ; ) {
      const flight = this.#coordinator.join<Settled>(key)
      if (flight === undefined) {
        const here = key
        // Which groups a response is in it says itself: until then any invalidation may be of it.
        const own = await this.#coordinator.start(here, undefined, () =>
          this.#pursue(visit, here, revalidate, giveUpAt),
        ).result
        if (own.kind !== 'vary') return
        key = keyBehind(own.entry, plan.key, req)
        continue
      }
      // Who has waited for two that were cut off does not wait for a third.
      if (cutOff > 1) return this.#answers.forward(res, next, 'uri-miss', 'collapsed-aborted')
      const leftMs = Math.max(1, giveUpAt - performance.now())
      const settled = await Promise.race([
        flight.result.catch(() => AGAIN),
        delay(leftMs, REFUSED, { ref: false }),
      ])
      if (settled.kind === 'refused') return this.#answers.forward(res, next, 'uri-miss', 'collapsed-refused')
      if (settled.kind === 'stored' || settled.kind === 'stale') {
        const response =
          settled.kind === 'stored' ? settled.response : (settled.entry.value as StoredResponse)
        if (isFor(response, key, visit)) return this.#answers.collapsed(visit, settled)
      }
      if (res.destroyed) return
      const known =
        settled.kind === 'vary' ? keyBehind(settled.entry, plan.key, req) : this.#responses.keyOf(plan, req)
      if (settled.kind === 'again' && known === key) cutOff++
      key = known
    }
  }

  /** What is never fresh nobody waits for: who does not get the lease asks the handler all the same. */
  async #revalidate(visit: Visit, key: string, copy: Entry): Promise<void> {
    const found = await this.#coordinator.look(this.#want(visit, key, true), copy.id)
    await this.#run(visit, visit.res, key, found?.lease, copy)
  }

  /** Runs the handler for the cache alone, unless somebody already does: the client has been answered. */
  refresh(visit: Visit, entry: Entry): void {
    const key = this.#responses.keyOf(visit.plan, visit.req)
    this.#coordinator
      .look(this.#want(visit, key, true), entry.id)
      .then((found) => {
        if (found?.lease !== undefined) this.#runDetached(visit, key, found.lease, entry)
      })
      .catch((error) => this.#coordinator.reports.storeError('load', error))
  }

  #want({ tags }: Visit, key: string, revalidate: boolean): Want {
    const { ttlMs, staleIfErrorMs, keepMs } = this.#options
    return {
      key,
      tags,
      tagLifetimeMs: ttlMs + staleIfErrorMs + keepMs,
      accepts: ({ kind, value, freshUntil, staleUntil }, nowMs) => {
        if (kind === 'response') return isNeverFresh(value) || (!revalidate && nowMs < staleUntil)
        return kind === 'vary' || nowMs < freshUntil
      },
    }
  }

  /** @returns what the others are told, who wait for this visit */
  async #pursue(visit: Visit, key: string, revalidate: boolean, giveUpAt: number): Promise<Settled> {
    const turn = await this.#coordinator.acquire(this.#want(visit, key, revalidate), giveUpAt)
    if (turn.kind === 'load') {
      const stale = turn.stale?.kind === 'response' ? turn.stale : undefined
      return turn.hasWaited ? this.#goPast(visit) : this.#run(visit, visit.res, key, turn.lease, stale)
    }
    const { entry, lease, isDue } = turn
    if (entry.kind !== 'response') {
      await this.#coordinator.release(key, lease)
      return entry.kind === 'vary' ? { kind: 'vary', entry } : this.#goPast(visit)
    }
    if (isNeverFresh(entry.value)) return this.#run(visit, visit.res, key, lease, entry)
    this.#answers.stored(visit, entry, turn.layer, performance.now())
    if (lease !== undefined) this.#runDetached(visit, key, lease, entry)
    else if (isDue) this.refresh(visit, entry)
    const response = entry.value as StoredResponse
    return { kind: 'stored', response, freshUntil: entry.freshUntil, found: true }
  }

  #goPast({ res, next }: Visit): Settled {
    this.#answers.forward(res, next, 'bypass', 'hit-for-miss')
    return REFUSED
  }

  /**
   * Runs the handler once the client has its answer and `res` is nobody's any more. A client that takes too long over
   * that leaves the refresh to the next one.
   */
  #runDetached(visit: Visit, key: string, lease: Lease, stale: Entry): void {
    const { req, res } = visit
    const stopRenewing = this.#coordinator.hold(key, lease)
    const giveUp = setTimeout(() => {
      res.off('close', begin)
      stopRenewing()
      this.#coordinator.release(key, lease)
    }, this.#parts.options.leaseMs).unref()
    const begin = (): void => {
      clearTimeout(giveUp)
      // Others who listen hear of the end of the response that was sent first.
      setImmediate(() => {
        stopRenewing()
        visit.tags = [...new Set([...visit.tags, ...stale.tags.map(({ tag }) => tag)])]
        this.#run(visit, shadowResponse(req, res), key, lease, stale)
      })
    }
    // Whoever pipes the request on, which has no body, finds its end.
    req.resume()
    if (res.closed) begin()
    else res.once('close', begin)
  }

  /**
   * Runs the handler, and stores what comes of it.
   *
   * @param res  the visit's own, or one that leads nowhere
   * @returns as soon as those who wait can be told: nobody waits for the rest of what is not stored
   */
  #run(
    visit: Visit,
    res: ServerResponse,
    key: string,
    lease: Lease | undefined,
    stale: Entry | undefined,
  ): Promise<Settled> {
    const { req, plan } = visit
    // As they came: the run changes them for the handler.
    const { headers } = req
    const isDetached = res !== visit.res
    const stopRenewing = this.#coordinator.hold(key, lease)
    if (!isDetached) this.#coordinator.reports.read('miss', undefined, false)
    return new Promise((settle) => {
      let over = false
      const finish = (outcome: RunOutcome): void => {
        if (over) return
        over = true
        clearTimeout(limit)
        stopRenewing()
        adopting.set(req, undefined)
        if (outcome.kind === 'refused') settle(REFUSED)
        this.#responses
          .commit(visit, key, lease, headers, outcome)
          .catch((error) => this.#coordinator.reports.storeError('fill', error))
          .finally(() => settle(settledBy(outcome)))
      }
      const limit = setTimeout(() => {
        finish({ kind: 'aborted' })
        if (isDetached) res.destroy()
      }, this.#parts.options.loaderTimeoutMs).unref()
      const run = new HandlerRun({
        visit,
        res,
        options: this.#options,
        stale,
        forward: stale !== undefined ? 'stale' : key === plan.key ? 'uri-miss' : 'vary-miss',
        onOutcome: finish,
        onUnshared: () => settle(REFUSED),
      })
      adopting.set(req, (inner, tags) => run.adopt(inner, tags))
      run.start()
    })
  }
}

const REFUSED: Settled = Object.freeze({ kind: 'refused' })
const AGAIN: Settled = Object.freeze({ kind: 'again' })

function settledBy(outcome: RunOutcome): Settled {
  if (outcome.kind === 'aborted') return AGAIN
  if (outcome.kind === 'refused') return REFUSED
  if (outcome.kind === 'stale') return outcome
  const { response, ttlMs } = outcome
  if (response.isNeverFresh) return REFUSED
  return { kind: 'stored', response, freshUntil: performance.now() + ttlMs, found: false }
}

function isNeverFresh(value: unknown): boolean {
  return (value as StoredResponse).isNeverFresh
}

/** Whether what another visit brought is the variant that this one asks for. */
function isFor(response: StoredResponse, key: string, { plan, req }: Visit): boolean {
  return response.vary.length === 0 || variantKey(plan.key, response.vary, req.headers) === key
}
