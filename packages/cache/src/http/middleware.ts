import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Middleware, type Next, prefetch, requestSlot } from '@scale/core'
import { type Entry, isEarly } from '../entry.js'
import { assertTags } from '../names.js'
import { Answers } from './answers.js'
import { Leading, leads } from './leading.js'
import { Lookup } from './lookup.js'
import type { ResolvedHttpOptions } from './options.js'
import { type HttpRequest, type Plan, planFor, uriTag } from './plan.js'
import type { StoredResponse } from './stored-response.js'
import { invalidateOnSuccess } from './unsafe.js'
import { variantKey } from './variants.js'
import { type CachePlan, type HttpCacheParts, REFUSED, type Visit } from './visit.js'
import { meets, type Wish, wishOf } from './wish.js'

/** The middleware: plan → here, in this tick → Redis → handler. Each may answer. */
export function httpCache(options: ResolvedHttpOptions, parts: HttpCacheParts): Middleware<IncomingMessage> {
  const lookup = new Lookup(options, parts)
  const answers = new Answers(options, parts.name)
  const leading = new Leading(options, parts, lookup, answers)
  const visits = new Visits(parts, lookup, answers, leading)
  const early = requestSlot<Promise<Entry | undefined>>('cache read')

  const middleware: Middleware<IncomingMessage> = function httpCache(req, res, next) {
    const adopt = leads.get(req)
    if (adopt !== undefined) {
      adopt(options, namedTags(req))
      return next()
    }
    let plan: Plan
    try {
      plan = planFor(req, options)
    } catch (error) {
      return next(error)
    }
    if (plan.kind === 'bypass') return answers.forward(res, next, plan.forward, plan.reason)
    if (plan.kind === 'unsafe') {
      invalidateOnSuccess(req, res, plan.uri, options.query, (tags) => parts.invalidateTags(tags))
      return answers.forward(res, next, 'method', 'unsafe')
    }
    const wish = wishOf(req, options)
    if (wish.bypass) return answers.forward(res, next, 'request', 'no-store')
    const nowMs = performance.now()
    const entry = lookup.local(plan, req, nowMs)
    if (entry === undefined || !isUsable(entry, wish, nowMs)) {
      visits.receive(visitOf(req, res, next, plan), wish, early.get(req)).catch(next)
    } else if (entry.kind === 'uncacheable') {
      answers.forward(res, next, 'bypass', 'hit-for-miss')
    } else {
      answers.stored({ req, res }, entry, 'l1', nowMs)
      const isDue = req.method === 'GET' && isEarly(entry, nowMs, parts.earlyRefresh)
      if (isDue) leading.refresh(visitOf(req, res, next, plan), entry)
    }
  }
  middleware[prefetch] = (req) => {
    if (early.get(req) !== undefined) return
    const plan = planEarly(req)
    if (plan?.kind !== 'cache' || lookup.local(plan, req, performance.now()) !== undefined) return
    if (parts.entries.store.available(plan.key)) early.set(req, lookup.read(plan, req))
  }
  return middleware

  function visitOf(req: HttpRequest, res: ServerResponse, next: Next, plan: CachePlan): Visit {
    return { req, res, next, plan, tags: [...new Set([uriTag(plan.uri), ...namedTags(req)])] }
  }

  function namedTags(req: HttpRequest): readonly string[] {
    if (typeof options.tags !== 'function') return options.tags ?? []
    const tags = options.tags(req)
    assertTags(tags)
    return tags
  }

  /** What is wrong with a request is told in its turn. */
  function planEarly(req: HttpRequest): Plan | undefined {
    try {
      return planFor(req, options)
    } catch {
      return undefined
    }
  }
}

function isUsable(entry: Entry, wish: Wish, nowMs: number): boolean {
  if (nowMs >= entry.freshUntil) return false
  return (
    entry.kind === 'uncacheable' || (entry.kind === 'response' && (!wish.fresh || meets(entry, wish, nowMs)))
  )
}

/** Visits that could not be answered in the tick in which they came. */
class Visits {
  readonly #parts: HttpCacheParts
  readonly #lookup: Lookup
  readonly #answers: Answers
  readonly #leading: Leading

  constructor(parts: HttpCacheParts, lookup: Lookup, answers: Answers, leading: Leading) {
    this.#parts = parts
    this.#lookup = lookup
    this.#answers = answers
    this.#leading = leading
  }

  /** @param early  a read that is under way already */
  async receive(visit: Visit, wish: Wish, early: Promise<Entry | undefined> | undefined): Promise<void> {
    const { req, res, next } = visit
    // A part of something large stays a part: it is not made whole for the cache.
    const isPart = req.headers.range !== undefined
    const readsOnly = wish.onlyIfCached || req.method === 'HEAD' || isPart
    const read = early ?? (readsOnly ? this.#lookup.read(visit.plan, req) : undefined)
    const entry = await read
    const nowMs = performance.now()
    if (entry?.kind === 'response' && isUsable(entry, wish, nowMs))
      return this.#answers.stored(visit, entry, 'l2', nowMs)
    if (wish.onlyIfCached) return this.#answers.gatewayTimeout(visit)
    if (!readsOnly) return this.#getOnce(visit, wish.fresh)
    if (req.method === 'HEAD' && entry?.kind === 'response') this.#compareLater(visit, entry)
    this.#answers.forward(res, next, 'uri-miss', isPart ? 'range' : 'head')
  }

  /** Waits for whoever is after the same, or goes first. */
  async #getOnce(visit: Visit, revalidate: boolean): Promise<void> {
    const { req, res, next, plan } = visit
    const giveUpAt = performance.now() + this.#parts.waitMs
    let key: string | undefined = this.#lookup.currentKey(plan, req)
    let cutOff = 0
    while (key !== undefined) {
      const flight = this.#parts.flights.find(key, (startedAt) => this.#mayJoin(startedAt))
      // Who has waited for two that were cut off does not wait for a third.
      if (flight !== undefined && cutOff > 1)
        return this.#answers.forward(res, next, 'uri-miss', 'collapsed-aborted')
      if (flight === undefined) {
        key = await this.#leading.pursue(visit, key, { revalidate, giveUpAt })
        continue
      }
      const leftMs = Math.max(1, giveUpAt - performance.now())
      const settled = await Promise.race([flight.result, delay(leftMs, REFUSED, { ref: false })])
      if (settled.kind === 'refused') return this.#answers.forward(res, next, 'uri-miss', 'collapsed-refused')
      if (settled.kind === 'stored' && isFor(settled.response, key, visit))
        return this.#answers.collapsed(visit, settled)
      if (settled.kind === 'stale' && isFor(settled.entry.value as StoredResponse, key, visit))
        return this.#answers.collapsedStale(visit, settled.entry)
      if (res.destroyed) return
      const wanted = this.#lookup.currentKey(plan, req)
      if (settled.kind === 'again' && wanted === key) cutOff++
      key = wanted
    }
  }

  /** While the channel is silent an invalidation may have gone unheard: then only a young flight may be joined. */
  #mayJoin(startedAt: number): boolean {
    const nowMs = performance.now()
    return this.#parts.entries.local.trusted(nowMs) || nowMs - startedAt < this.#parts.livenessMs
  }

  /** HEAD may show that a stored GET is out of date (RFC 9111 §4.3.5). */
  #compareLater({ res, plan }: Visit, entry: Entry): void {
    const { validators } = entry.value as StoredResponse
    res.once('finish', () => {
      const etag = res.getHeader('etag')
      if (res.statusCode !== 200 || etag === undefined || etag === validators.etag) return
      this.#parts.invalidateTags([uriTag(plan.uri)]).catch((error) => this.#lookup.failed('fill', error))
    })
  }
}

/** Whether what another visit brought is the variant that this one asks for. */
function isFor(response: StoredResponse, key: string, { plan, req }: Visit): boolean {
  return response.vary.length === 0 || variantKey(plan.key, response.vary, req.headers) === key
}
