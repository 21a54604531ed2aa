import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type RequestSlot, requestSlot } from '@scale/core'
import { isFresh, type Lease } from '../entries.js'
import type { Entry } from '../entry.js'
import type { Answers } from './answers.js'
import { detach } from './detach.js'
import { type LeadOutcome, lead } from './leader.js'
import type { Lookup } from './lookup.js'
import type { ResolvedHttpOptions } from './options.js'
import type { StoredResponse } from './stored-response.js'
import { Storing } from './storing.js'
import { keyBehind } from './variants.js'
import { AGAIN, type HttpCacheParts, REFUSED, type Settle, type Settled, type Visit } from './visit.js'

/** Longest pause between two looks at a key that another process is loading, in ms. */
const MAX_POLL_MS = 200

/**
 * Of a request whose handler runs to be stored: takes the options and tags of another mount of the middleware further
 * in, which is the same visit. What the first one has put into the key, and watches, stays.
 */
export const leads: RequestSlot<Adopt | undefined> = requestSlot('cache visit')
type Adopt = (options: ResolvedHttpOptions, tags: readonly string[]) => void

/** How a visit is to be dealt with. */
export interface Pursuit {
  /** A stored response is not to be used as it is. */
  readonly revalidate: boolean
  /** Of the monotonic clock: no other process is waited for any longer. */
  readonly giveUpAt: number
}

/** Runs handlers: one per key in the process by a flight, in the fleet by a lease. */
export class Leading {
  readonly #options: ResolvedHttpOptions
  readonly #parts: HttpCacheParts
  readonly #lookup: Lookup
  readonly #answers: Answers
  readonly #storing: Storing

  constructor(options: ResolvedHttpOptions, parts: HttpCacheParts, lookup: Lookup, answers: Answers) {
    this.#options = options
    this.#parts = parts
    this.#lookup = lookup
    this.#answers = answers
    this.#storing = new Storing(options, parts)
  }

  /**
   * Opens a flight, so that others wait for what comes of this visit.
   *
   * @returns another key to look under: of the variant that the request asks for; `undefined`: it is dealt with
   */
  async pursue(visit: Visit, key: string, pursuit: Pursuit): Promise<string | undefined> {
    let settle!: Settle
    const opened = new Promise<Settled>((resolve) => {
      settle = resolve
    })
    this.#parts.flights.start(key, visit.tags, () => opened)
    try {
      return await this.#acquire(visit, key, pursuit, settle)
    } catch (error) {
      settle(AGAIN)
      throw error
    }
  }

  /** Runs the handler for the cache alone, unless somebody already does: the client has been answered. */
  refresh(visit: Visit, entry: Entry): void {
    const key = this.#lookup.currentKey(visit.plan, visit.req)
    this.#lookup
      .load(visit, key, entry.id)
      .then((found) => {
        if (found?.lease !== undefined) this.#leadDetached(visit, key, found.lease, entry)
      })
      .catch((error) => this.#lookup.failed('load', error))
  }

  /** Looks into the store until there is something fresh, a lease, or no more time. */
  async #acquire(visit: Visit, key: string, pursuit: Pursuit, settle: Settle): Promise<string | undefined> {
    const { req, plan } = visit
    const { revalidate, giveUpAt } = pursuit
    let rejectedId: string | undefined
    for (let pauseMs = 10; ; pauseMs = Math.min(MAX_POLL_MS, pauseMs * 1.5)) {
      const found = await this.#lookup.load(visit, key, rejectedId)
      if (found === undefined) return this.#withoutStore(visit, key, settle)
      const { entry, lease } = found
      if (entry?.kind === 'vary' && lease === undefined) {
        // Those who wait here may be after other variants.
        settle(AGAIN)
        return keyBehind(entry, plan.key, req)
      }
      const isNew = lease === undefined && entry !== undefined && isFresh(entry) && entry.id !== rejectedId
      if (isNew && entry.kind === 'uncacheable') return this.#goPast(visit, settle)
      if (isNew && !revalidate) return this.#answer(visit, entry, settle)
      const response = entry?.kind === 'response' ? entry : undefined
      if (response !== undefined && !revalidate && performance.now() < response.staleUntil) {
        this.#answer(visit, response, settle)
        if (lease !== undefined) this.#leadDetached(visit, key, lease, response)
        else if (found.rejectedId !== undefined) this.refresh(visit, response)
        return undefined
      }
      if (lease !== undefined) return this.#lead(visit, visit.res, key, lease, response, settle)
      const rejected = isNew ? entry.id : found.rejectedId
      if (rejected !== undefined && rejected !== rejectedId) {
        rejectedId = rejected
        continue
      }
      if (performance.now() >= giveUpAt) return this.#goPast(visit, settle)
      await delay(Math.min(found.leaseLeftMs + 1, pauseMs * (0.5 + Math.random())))
    }
  }

  #answer(visit: Visit, entry: Entry, settle: Settle): undefined {
    settle({
      kind: 'stored',
      response: entry.value as StoredResponse,
      freshUntil: entry.freshUntil,
      found: true,
    })
    this.#answers.stored(visit, entry, 'l2', performance.now())
  }

  #goPast({ res, next }: Visit, settle: Settle): undefined {
    settle(REFUSED)
    this.#answers.forward(res, next, 'bypass', 'hit-for-miss')
  }

  /** Redis is away: a copy in this process within the grace that the app allowed, else the handler, once per key. */
  #withoutStore(visit: Visit, key: string, settle: Settle): undefined {
    const { entries, outageGraceMs } = this.#parts
    const nowMs = performance.now()
    const entry = entries.find(key, nowMs)
    const inGrace = entries.local.silentForMs(nowMs) < outageGraceMs
    if (entry?.kind === 'response' && inGrace && nowMs < entry.l1Until && nowMs < entry.staleUntil) {
      this.#answer(visit, entry, settle)
    } else {
      this.#lead(visit, visit.res, key, undefined, undefined, settle)
    }
  }

  /**
   * Runs the handler once the client has its answer and `res` is nobody's any more. A client that takes too long over
   * that leaves the refresh to the next one.
   */
  #leadDetached(visit: Visit, key: string, lease: Lease, stale: Entry): void {
    const { req, res } = visit
    const stopRenewing = this.#renew(key, lease)
    const giveUp = setTimeout(() => {
      res.off('close', begin)
      this.#release(key, lease, stopRenewing)
    }, this.#parts.leaseMs).unref()
    const begin = (): void => {
      clearTimeout(giveUp)
      // Others who listen hear of the end of the response that was sent first.
      setImmediate(() => {
        stopRenewing()
        visit.tags = [...new Set([...visit.tags, ...stale.tags.map(({ tag }) => tag)])]
        this.#lead(visit, detach(req, res), key, lease, stale, () => {})
      })
    }
    // Whoever pipes the request on, which has no body, finds its end.
    req.resume()
    if (res.closed) begin()
    else res.once('close', begin)
  }

  /** @param res  the visit's own, or one that leads nowhere */
  #lead(
    visit: Visit,
    res: ServerResponse,
    key: string,
    lease: Lease | undefined,
    stale: Entry | undefined,
    settle: Settle,
  ): undefined {
    const { req, plan, next } = visit
    const { headers } = req
    const detached = res !== visit.res
    const stopRenewing = this.#renew(key, lease)
    let over = false
    const finish = (outcome: LeadOutcome): void => {
      if (over) return
      over = true
      clearTimeout(limit)
      stopRenewing()
      leads.set(req, undefined)
      this.#storing
        .commit(visit, key, lease, headers, outcome)
        .catch((error) => this.#lookup.failed('fill', error))
        .finally(() => settle(settledBy(outcome)))
    }
    const limit = setTimeout(() => {
      finish({ kind: 'aborted' })
      if (detached) res.destroy()
    }, this.#parts.loaderTimeoutMs).unref()
    if (!detached) this.#answers.report('miss', undefined, false)
    let options = this.#options
    leads.set(req, (inner, tags) => {
      options = inner
      visit.tags = [...new Set([...visit.tags, ...tags])]
    })
    lead({
      req,
      res,
      plan,
      get options() {
        return options
      },
      stale,
      forward: stale !== undefined ? 'stale' : key === plan.key ? 'uri-miss' : 'vary-miss',
      get tags() {
        return visit.tags
      },
      detached,
      next: () => {
        try {
          next()
        } catch (error) {
          if (!detached) throw error
          res.destroy()
        }
      },
      // Nobody waits for the rest of what is not stored: neither here nor in other processes.
      onRefused: (reason, transient) => {
        settle(REFUSED)
        finish({ kind: 'refused', reason, transient })
      },
      onDone: finish,
    })
  }

  async #release(key: string, lease: Lease | undefined, stopRenewing: () => void): Promise<void> {
    stopRenewing()
    if (lease === undefined) return
    await this.#parts.entries.release(key, lease).catch((error) => this.#lookup.failed('fill', error))
  }

  #renew(key: string, lease: Lease | undefined): () => void {
    if (lease === undefined) return () => {}
    const { entries, leaseMs } = this.#parts
    const timer = setInterval(() => {
      entries.renew(key, lease).catch((error) => this.#lookup.failed('fill', error))
    }, leaseMs / 3).unref()
    return () => clearInterval(timer)
  }
}

function settledBy(outcome: LeadOutcome): Settled {
  if (outcome.kind === 'aborted') return AGAIN
  if (outcome.kind === 'refused') return REFUSED
  if (outcome.kind === 'stale') return outcome
  const { response, ttlMs } = outcome
  return { kind: 'stored', response, freshUntil: performance.now() + ttlMs, found: false }
}
