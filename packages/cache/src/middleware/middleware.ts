import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Middleware, type Next, prefetch, requestSlot } from '@scale/core'
import { type Entry, isEarly } from '../entries/entry.js'
import { assertTags } from '../entries/names.js'
import { type ClientDirectives, clientDirectives } from '../http/cache-control.js'
import { type HttpRequest, type Plan, planFor, uriTag } from '../http/cache-key.js'
import { invalidateOnSuccess } from '../http/invalidation.js'
import type { StoredResponse } from '../http/stored-response.js'
import { Answers, ageOf } from './answers.js'
import { Forwarding } from './forwarding.js'
import type { ResolvedHttpOptions } from './options.js'
import { Responses } from './responses.js'
import { adopting, type CachePlan, type HttpCacheParts, type Visit } from './visit.js'

/** The middleware: plan → here, in this tick → Redis → handler. Each may answer. */
export function httpCache(options: ResolvedHttpOptions, parts: HttpCacheParts): Middleware<IncomingMessage> {
  const { coordinator } = parts
  const responses = new Responses(options, parts)
  const answers = new Answers(options, coordinator.reports)
  const forwarding = new Forwarding(options, parts, responses, answers)
  const early = requestSlot<Promise<Entry | undefined>>('cache read')

  const middleware: Middleware<IncomingMessage> = function httpCache(req, res, next) {
    const adopt = adopting.get(req)
    if (adopt !== undefined) {
      adopt(options, namedTags(req))
      return next()
    }
    let plan: Plan
    try {
      plan = planFor(req, options, parts.namespace)
    } catch (error) {
      return next(error)
    }
    if (plan.kind === 'bypass') return answers.forward(res, next, plan.forward, plan.reason)
    if (plan.kind === 'unsafe') {
      invalidateOnSuccess(req, res, next, plan.uri, options, (tags) => parts.invalidateTags(tags))
      return answers.forward(res, next, 'method', 'unsafe')
    }
    const wanted = clientDirectives(req, options)
    if (wanted.noStore) return answers.forward(res, next, 'request', 'no-store')
    const nowMs = performance.now()
    const entry = responses.here(plan, req, nowMs)
    if (entry === undefined || !isUsable(entry, wanted, nowMs)) {
      receive(visitOf(req, res, next, plan), wanted, early.get(req)).catch(next)
    } else if (entry.kind === 'uncacheable') {
      answers.forward(res, next, 'bypass', 'hit-for-miss')
    } else {
      answers.stored({ req, res }, entry, 'l1', nowMs)
      const isDue = req.method === 'GET' && isEarly(entry, nowMs, parts.options.earlyRefresh)
      if (isDue) forwarding.refresh(visitOf(req, res, next, plan), entry)
    }
  }
  middleware[prefetch] = (req) => {
    if (early.get(req) !== undefined) return
    const plan = planEarly(req)
    if (plan?.kind !== 'cache' || responses.here(plan, req, performance.now()) !== undefined) return
    if (coordinator.entries.store.available(plan.key)) early.set(req, responses.read(plan, req))
  }
  return middleware

  /**
   * A visit that could not be answered in the tick in which it came.
   *
   * @param early  a read that is under way already
   */
  async function receive(
    visit: Visit,
    wanted: ClientDirectives,
    early: Promise<Entry | undefined> | undefined,
  ): Promise<void> {
    const { req, res, next, plan } = visit
    // A part of something large stays a part: it is not made whole for the cache.
    const isPart = req.headers.range !== undefined
    const readsOnly = wanted.onlyIfCached || req.method === 'HEAD' || isPart
    const entry = await (early ?? (readsOnly ? responses.read(plan, req) : undefined))
    const nowMs = performance.now()
    if (entry?.kind === 'response' && isUsable(entry, wanted, nowMs))
      return answers.stored(visit, entry, 'l2', nowMs)
    if (wanted.onlyIfCached) return answers.gatewayTimeout(visit)
    if (!readsOnly) return forwarding.collapse(visit, wanted.isStrict)
    if (req.method === 'HEAD' && entry?.kind === 'response') compareLater(visit, entry)
    answers.forward(res, next, 'uri-miss', isPart ? 'range' : 'head')
  }

  /** HEAD may show that a stored GET is out of date (RFC 9111 §4.3.5). */
  function compareLater({ res, plan }: Visit, entry: Entry): void {
    const { validators } = entry.value as StoredResponse
    res.once('finish', () => {
      const etag = res.getHeader('etag')
      if (res.statusCode !== 200 || etag === undefined || etag === validators.etag) return
      parts.invalidateTags([uriTag(plan.uri)]).catch((error) => coordinator.reports.storeError('fill', error))
    })
  }

  function visitOf(req: HttpRequest, res: ServerResponse, next: Next, plan: CachePlan): Visit {
    return {
      req,
      res,
      next,
      plan,
      tags: [...new Set([...parts.namespace.tags, uriTag(plan.uri), ...namedTags(req)])],
    }
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
      return planFor(req, options, parts.namespace)
    } catch {
      return undefined
    }
  }
}

function isUsable(entry: Entry, wanted: ClientDirectives, nowMs: number): boolean {
  if (nowMs >= entry.freshUntil) return false
  if (entry.kind !== 'response' || !wanted.isStrict) return entry.kind !== 'vary'
  return ageOf(entry, nowMs) <= wanted.maxAgeMs && entry.freshUntil - nowMs >= wanted.minFreshMs
}
