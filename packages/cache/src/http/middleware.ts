import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Middleware, type Next, prefetch } from '@scale/core'
import { type CacheReadMessage, loadChannel, readChannel, storeErrorChannel } from '../channels.js'
import { type Draft, type Entries, type Found, isFresh, type Lease } from '../entries.js'
import { type Entry, isEarly } from '../entry.js'
import type { Flights } from '../flights.js'
import { detach } from './detach.js'
import { explained } from './explain.js'
import { type LeadOutcome, lead } from './leader.js'
import type { ResolvedHttpOptions } from './options.js'
import { groupTag, type HttpRequest, originOf, type Plan, planFor, uriTag } from './plan.js'
import { serve } from './serve.js'
import { beforeHead, statusMember } from './status-member.js'
import { encodeResponse, type StoredResponse } from './stored-response.js'
import { parseStringList } from './structured-fields.js'
import { invalidateOnSuccess } from './unsafe.js'
import { variantOf } from './vary.js'
import { meets, type Wish, wishOf } from './wish.js'

/** What the middleware needs of its cache. */
export interface HttpCacheParts {
  readonly name: string
  readonly entries: Entries
  readonly flights: Flights<Settled>
  readonly earlyRefresh: number
  readonly waitMs: number
  readonly leaseMs: number
  readonly livenessMs: number
  readonly outageGraceMs: number
  /** Sends what could not be sent to the store before; false if it still cannot. */
  settle(): Promise<boolean>
  invalidateTags(tags: readonly string[]): Promise<boolean>
}

/** What those who waited for a run of the handler are told. */
export type Settled =
  | {
      readonly kind: 'stored'
      readonly response: StoredResponse
      readonly freshUntil: number
      /** It was found in the store, and no handler ran. */
      readonly found: boolean
    }
  /** Everyone for themselves. */
  | { readonly kind: 'refused' }
  /** Look again: somebody else may lead now. */
  | { readonly kind: 'again' }

/** The value of an entry of kind `vary`: which request fields choose, and the variants there are. */
interface VaryMarker {
  readonly names: readonly string[]
  readonly variants: readonly string[]
}

type CachePlan = Extract<Plan, { kind: 'cache' }>

/** One request on its way through the cache. */
interface Visit {
  readonly req: HttpRequest
  readonly res: ServerResponse
  readonly next: Next
  readonly plan: CachePlan
  readonly tags: readonly string[]
}

/** For how long requests for what proved uncacheable do not wait for one another, in ms. */
const HIT_FOR_MISS_MS = 10_000
/** Variants of one resource; more are not stored. */
const MAX_VARIANTS = 32
const MAX_POLL_MS = 200

/** The middleware: plan → here → Redis → handler, each of which may answer. */
export function httpCache(options: ResolvedHttpOptions, parts: HttpCacheParts): Middleware<IncomingMessage> {
  const { entries } = parts
  const early = new WeakMap<IncomingMessage, Promise<Entry | undefined>>()

  const middleware: Middleware<IncomingMessage> = function httpCache(req, res, next) {
    const plan = planFor(req, options)
    if (plan.kind === 'bypass') return forward(res, next, plan.forward, plan.reason)
    if (plan.kind === 'unsafe') {
      invalidateOnSuccess(req, res, plan.uri, (tags) => parts.invalidateTags(tags))
      return forward(res, next, 'method', 'unsafe')
    }
    const wish = wishOf(req, options)
    if (wish.bypass) return forward(res, next, 'request', 'no-store')
    const nowMs = performance.now()
    const found = local(plan, req, nowMs)
    if (found !== undefined && isUsable(found, wish, nowMs)) {
      if (found.kind === 'uncacheable') return forward(res, next, 'bypass', 'hit-for-miss')
      answer({ req, res, next, plan, tags: [] }, found, 'l1', nowMs)
      if (req.method === 'GET' && isEarly(found, nowMs, parts.earlyRefresh))
        refresh(visitOf(req, res, next, plan), found)
      return
    }
    const visit = visitOf(req, res, next, plan)
    const goOn = wish.onlyIfCached
      ? onlyIfCached(visit)
      : req.method === 'HEAD'
        ? head(visit)
        : get(visit, wish.fresh)
    goOn.catch(next)
  }
  middleware[prefetch] = (req) => {
    if (early.has(req)) return
    const plan = planFor(req, options)
    if (plan.kind !== 'cache' || local(plan, req, performance.now()) !== undefined) return
    if (entries.store.available(plan.key)) early.set(req, read(plan, req))
  }
  return middleware

  function visitOf(req: HttpRequest, res: ServerResponse, next: Next, plan: CachePlan): Visit {
    const named = typeof options.tags === 'function' ? options.tags(req) : (options.tags ?? [])
    return { req, res, next, plan, tags: [...new Set([uriTag(plan.uri), ...named])] }
  }

  function forward(
    res: ServerResponse,
    next: Next,
    kind: 'bypass' | 'method' | 'request' | 'uri-miss',
    reason: string,
  ): void {
    explained(res, { decision: 'bypass', reason, rule: ruleOf(reason), stored: false })
    report('miss', undefined, false)
    beforeHead(res, () => {
      res.appendHeader('Cache-Status', `${options.cacheName}; ${statusMember.bypass(kind, reason)}`)
      if (options.targets[0] !== undefined) res.removeHeader(options.targets[0])
    })
    next()
  }

  /** A trusted copy in this process: of the resource, or of the variant that the request asks for. */
  function local(plan: CachePlan, req: HttpRequest, nowMs: number): Entry | undefined {
    if (!entries.local.trusted(nowMs)) return undefined
    const entry = entries.find(plan.key, nowMs)
    if (entry?.kind !== 'vary') return entry !== undefined && nowMs < entry.l1Until ? entry : undefined
    const variant = entries.find(variantKey(plan.key, (entry.value as VaryMarker).names, req), nowMs)
    return variant !== undefined && nowMs < variant.l1Until ? variant : undefined
  }

  function isUsable(entry: Entry, wish: Wish, nowMs: number): boolean {
    if (nowMs >= entry.freshUntil) return false
    return (
      entry.kind === 'uncacheable' ||
      (entry.kind === 'response' && (!wish.fresh || meets(entry, wish, nowMs)))
    )
  }

  function answer({ req, res }: Visit, entry: Entry, layer: 'l1' | 'l2', nowMs: number): void {
    const stored = entry.value as StoredResponse
    const ttlMs = entry.freshUntil - nowMs
    const ageMs = stored.lifetimeMs - (entry.endsAt - nowMs)
    const isHit = ttlMs > 0
    const member = isHit
      ? statusMember.hit(ttlMs, layer)
      : statusMember.stale(ttlMs, 'stale-while-revalidate')
    explained(res, {
      decision: isHit ? 'hit' : 'stale',
      reason: layer,
      rule: isHit ? 'RFC 9111 §4.2' : 'RFC 5861 §3',
      stored: true,
    })
    report(isHit ? 'hit' : 'stale', layer, false)
    serve(req, res, stored, ageMs, `${options.cacheName}; ${member}`)
  }

  /** From the store, without a lease: of the resource, or of the variant that the request asks for. */
  async function read(plan: CachePlan, req: HttpRequest): Promise<Entry | undefined> {
    try {
      if (!(await parts.settle())) return undefined
      const entry = await entries.read(plan.key)
      if (entry?.kind !== 'vary') return entry
      return await entries.read(variantKey(plan.key, (entry.value as VaryMarker).names, req))
    } catch (error) {
      storeFailed('read', error)
      return undefined
    }
  }

  async function onlyIfCached(visit: Visit): Promise<void> {
    const entry = await read(visit.plan, visit.req)
    if (entry?.kind === 'response' && isFresh(entry)) return answer(visit, entry, 'l2', performance.now())
    visit.res.statusCode = 504
    visit.res.setHeader('Cache-Status', `${options.cacheName}; fwd=request; detail=only-if-cached`)
    explained(visit.res, {
      decision: 'miss',
      reason: 'only-if-cached',
      rule: 'RFC 9111 §5.2.1.7',
      stored: false,
    })
    visit.res.end()
  }

  /** From a stored GET; else the handler, which may show that the stored GET is out of date (RFC 9111 §4.3.5). */
  async function head(visit: Visit): Promise<void> {
    const { req, res, next, plan } = visit
    const entry = await read(plan, req)
    if (entry?.kind === 'response') {
      if (isFresh(entry)) return answer(visit, entry, 'l2', performance.now())
      const { validators } = entry.value as StoredResponse
      res.once('finish', () => {
        const etag = res.getHeader('etag')
        if (res.statusCode === 200 && etag !== undefined && etag !== validators.etag) {
          parts.invalidateTags([uriTag(plan.uri)]).catch(() => {})
        }
      })
    }
    forward(res, next, 'uri-miss', 'head')
  }

  /** @param revalidate  a stored response is not to be used as it is */
  async function get(visit: Visit, revalidate: boolean): Promise<void> {
    const { req, res, next, plan } = visit
    // A part of something large should stay a part: it is not made whole for the cache.
    if (req.headers.range !== undefined) return range(visit)
    const known = early.get(req)
    early.delete(req)
    const entry = known === undefined || revalidate ? undefined : await known
    if (entry?.kind === 'response' && isFresh(entry)) return answer(visit, entry, 'l2', performance.now())
    const giveUpAt = performance.now() + parts.waitMs
    let key = currentKey(plan, req)
    for (;;) {
      const flight = parts.flights.find(key, mayJoin)
      if (flight === undefined) {
        const variant = await leadOrAnswer(visit, key, revalidate, giveUpAt)
        if (variant === undefined) return
        key = variant
        continue
      }
      const settled = await Promise.race([
        flight.result,
        delay(Math.max(1, giveUpAt - performance.now()), LATE, UNREF),
      ])
      if (settled.kind === 'refused') return forward(res, next, 'uri-miss', 'collapsed-refused')
      if (settled.kind === 'stored' && matches(settled.response, key, plan, req))
        return answerCollapsed(visit, settled)
      if (res.destroyed) return
      key = currentKey(plan, req)
    }
  }

  function answerCollapsed(
    { req, res }: Visit,
    { response, freshUntil, found }: Extract<Settled, { kind: 'stored' }>,
  ): void {
    const ttlMs = freshUntil - performance.now()
    explained(res, { decision: 'hit', reason: 'collapsed', rule: 'RFC 9111 §4', stored: true })
    report('hit', 'l1', true)
    serve(
      req,
      res,
      response,
      response.lifetimeMs - ttlMs,
      `${options.cacheName}; ${found ? statusMember.hit(ttlMs, 'l2') : statusMember.collapsed(ttlMs)}`,
    )
  }

  async function range(visit: Visit): Promise<void> {
    const entry = await read(visit.plan, visit.req)
    if (entry?.kind === 'response' && isFresh(entry)) return answer(visit, entry, 'l2', performance.now())
    forward(visit.res, visit.next, 'uri-miss', 'range')
  }

  function mayJoin(startedAt: number): boolean {
    const nowMs = performance.now()
    return entries.local.trusted(nowMs) || nowMs - startedAt < parts.livenessMs
  }

  /** The key that this request's response will have, as far as is known here. */
  function currentKey(plan: CachePlan, req: HttpRequest): string {
    const marker = entries.find(plan.key, performance.now())
    return marker?.kind === 'vary' ? variantKey(plan.key, (marker.value as VaryMarker).names, req) : plan.key
  }

  function matches(response: StoredResponse, key: string, plan: CachePlan, req: HttpRequest): boolean {
    return response.vary.length === 0 || variantKey(plan.key, response.vary, req) === key
  }

  /**
   * Opens a flight, so that others wait for what comes of this visit.
   *
   * @returns another key to look under: of the variant that the request asks for
   */
  async function leadOrAnswer(
    visit: Visit,
    key: string,
    revalidate: boolean,
    giveUpAt: number,
  ): Promise<string | undefined> {
    let settle!: (settled: Settled) => void
    parts.flights.start(key, visit.tags, () => new Promise<Settled>((resolve) => (settle = resolve)))
    try {
      return await acquire(visit, key, revalidate, giveUpAt, settle)
    } catch (error) {
      settle(AGAIN)
      throw error
    }
  }

  /**
   * Looks into the store until there is something fresh, a lease, or no more time.
   *
   * @returns another key to look under, or nothing if the visit has been dealt with
   */
  async function acquire(
    visit: Visit,
    key: string,
    revalidate: boolean,
    giveUpAt: number,
    settle: (settled: Settled) => void,
  ): Promise<string | undefined> {
    const { req, plan } = visit
    let rejectedId: string | undefined
    for (let pauseMs = 10; ; pauseMs = Math.min(MAX_POLL_MS, pauseMs * 1.5)) {
      const found = await find(visit, key, rejectedId)
      if (found === undefined) {
        withoutStore(visit, key, settle)
        return
      }
      const { entry, lease } = found
      if (entry?.kind === 'vary' && lease === undefined) {
        // Those who wait here may be after other variants.
        settle(AGAIN)
        return variantKey(plan.key, (entry.value as VaryMarker).names, req)
      }
      if (lease === undefined && entry !== undefined && isFresh(entry) && entry.id !== rejectedId) {
        if (entry.kind === 'uncacheable') goPast(visit, settle)
        else if (!revalidate) answerAndSettle(visit, entry, settle)
        if (entry.kind === 'uncacheable' || !revalidate) return
        rejectedId = entry.id
        continue
      }
      const response = entry?.kind === 'response' ? entry : undefined
      if (response !== undefined && !revalidate && performance.now() < response.staleUntil) {
        answerAndSettle(visit, response, settle)
        if (lease !== undefined) leadDetached(visit, key, lease, response)
        else if (found.rejectedId !== undefined) refresh(visit, response)
        return
      }
      if (lease !== undefined) {
        leadNow(visit, key, lease, response, settle)
        return
      }
      if (found.rejectedId !== undefined && found.rejectedId !== rejectedId) {
        rejectedId = found.rejectedId
        continue
      }
      if (performance.now() >= giveUpAt) {
        goPast(visit, settle)
        return
      }
      await delay(Math.min(found.leaseLeftMs + 1, pauseMs * (0.5 + Math.random())))
    }
  }

  async function find(visit: Visit, key: string, rejectedId: string | undefined): Promise<Found | undefined> {
    if (!(await parts.settle()) || !entries.store.available(key)) return undefined
    try {
      const tagLifetimeMs = options.ttlMs + options.staleIfErrorMs + options.keepMs
      return await entries.load(key, { tags: visit.tags, tagLifetimeMs, rejectedId })
    } catch (error) {
      storeFailed('load', error)
      return undefined
    }
  }

  function answerAndSettle(visit: Visit, entry: Entry, settle: (settled: Settled) => void): void {
    settle({
      kind: 'stored',
      response: entry.value as StoredResponse,
      freshUntil: entry.freshUntil,
      found: true,
    })
    answer(visit, entry, 'l2', performance.now())
  }

  function goPast({ res, next }: Visit, settle: (settled: Settled) => void): void {
    settle(REFUSED)
    forward(res, next, 'bypass', 'hit-for-miss')
  }

  /** Redis is away: a copy in this process within the grace that the app allowed, else the handler, once per key. */
  function withoutStore(visit: Visit, key: string, settle: (settled: Settled) => void): void {
    const nowMs = performance.now()
    const entry = entries.find(key, nowMs)
    const inGrace = entries.local.silentForMs(nowMs) < parts.outageGraceMs
    if (entry?.kind === 'response' && inGrace && nowMs < entry.l1Until && nowMs < entry.staleUntil) {
      settle({
        kind: 'stored',
        response: entry.value as StoredResponse,
        freshUntil: entry.freshUntil,
        found: true,
      })
      answer(visit, entry, 'l1', nowMs)
      return
    }
    leadNow(visit, key, undefined, undefined, settle)
  }

  /** Answers were given already; the handler runs for the cache alone. */
  function leadDetached(visit: Visit, key: string, lease: Lease, stale: Entry): void {
    const fields: OutgoingHttpHeaders = {}
    const shadow = detach(visit.req, visit.res, fields)
    run(visit, shadow, key, lease, stale, () => {}, true)
  }

  function leadNow(
    visit: Visit,
    key: string,
    lease: Lease | undefined,
    stale: Entry | undefined,
    settle: (settled: Settled) => void,
  ): void {
    run(visit, visit.res, key, lease, stale, settle, false)
  }

  function run(
    visit: Visit,
    res: ServerResponse,
    key: string,
    lease: Lease | undefined,
    stale: Entry | undefined,
    settle: (settled: Settled) => void,
    detached: boolean,
  ): void {
    const { req, plan, tags } = visit
    const renewal =
      lease === undefined
        ? undefined
        : setInterval(() => {
            entries.renew(key, lease).catch((error) => storeFailed('fill', error))
          }, parts.leaseMs / 3).unref()
    if (!detached) report('miss', undefined, false)
    const headers = req.headers
    lead({
      req,
      res,
      plan,
      options,
      lease,
      stale,
      forward: stale !== undefined ? 'stale' : key === plan.key ? 'uri-miss' : 'vary-miss',
      tags,
      detached,
      next: () => visit.next(),
      onRefused: () => settle(REFUSED),
      onDone: (outcome) => {
        clearInterval(renewal)
        commit(visit, key, lease, headers, outcome)
          .catch((error) => storeFailed('fill', error))
          .finally(() => settle(settledBy(outcome)))
      },
    })
  }

  /** Stores what came of it, and ends the lease. */
  async function commit(
    visit: Visit,
    key: string,
    lease: Lease | undefined,
    headers: IncomingMessage['headers'],
    outcome: LeadOutcome,
  ): Promise<void> {
    if (lease === undefined) return reportLoad(outcome, false)
    if (outcome.kind === 'aborted' || (outcome.kind === 'refused' && outcome.transient)) {
      reportLoad(outcome, false)
      return entries.release(key, lease)
    }
    if (outcome.kind === 'refused') {
      reportLoad(outcome, false)
      await entries.fill(key, lease, markerDraft('uncacheable', null, HIT_FOR_MISS_MS), visit.tags)
      return
    }
    reportLoad(outcome, await store(visit, key, lease, headers, outcome))
  }

  async function store(
    { req, plan, tags: named }: Visit,
    key: string,
    lease: Lease,
    headers: IncomingMessage['headers'],
    outcome: Extract<LeadOutcome, { kind: 'stored' }>,
  ): Promise<boolean> {
    const { response } = outcome
    const tags = [...new Set([...named, ...wireTags(outcome.groups, originOf(req))])]
    const draft = responseDraft(outcome)
    const marker = key === plan.key ? undefined : await markerOf(plan)
    const names = [...new Set([...(marker?.names ?? []), ...response.vary])].sort()
    if (names.length === 0) return entries.fill(key, lease, draft, tags)
    const target = `${plan.key}\n#${variantOf(names, headers)}`
    const variants = sameNames(marker?.names, names) ? (marker?.variants ?? []) : []
    if (!variants.includes(target.slice(-22)) && variants.length >= MAX_VARIANTS) {
      await entries.release(key, lease)
      return false
    }
    const value: VaryMarker = { names, variants: [...new Set([...variants, target.slice(-22)])] }
    const pointer = markerDraft('vary', value, draft.ttlMs + draft.staleIfErrorMs)
    if (key === target) {
      if (value.variants.length > variants.length) await entries.fillBeside(lease, plan.key, pointer, named)
      return entries.fill(key, lease, draft, tags)
    }
    if (key === plan.key) {
      const stored = await entries.fill(key, lease, pointer, named)
      return stored && entries.fillBeside(lease, target, draft, tags)
    }
    await entries.fillBeside(lease, plan.key, pointer, named)
    await entries.fillBeside(lease, target, draft, tags)
    await entries.release(key, lease)
    return true
  }

  async function markerOf(plan: CachePlan): Promise<VaryMarker | undefined> {
    const entry = entries.find(plan.key, performance.now()) ?? (await entries.read(plan.key))
    return entry?.kind === 'vary' ? (entry.value as VaryMarker) : undefined
  }

  function responseDraft({
    response,
    ttlMs,
    swrMs,
    costMs,
  }: Extract<LeadOutcome, { kind: 'stored' }>): Draft {
    const body = encodeResponse(response)
    const { etag, lastModified } = response.validators
    const keepMs = etag === undefined && lastModified === undefined ? 0 : options.keepMs
    return {
      kind: 'response',
      body,
      compressed: false,
      codec: 0,
      value: { ...response, body: Buffer.from(response.body) },
      valueBytes: body.length * 2,
      ttlMs,
      staleWhileRevalidateMs: swrMs,
      staleIfErrorMs: Math.max(response.staleIfErrorMs, keepMs),
      l1TtlMs: 0,
      costMs,
    }
  }

  function refresh(visit: Visit, entry: Entry): void {
    const key = currentKey(visit.plan, visit.req)
    find(visit, key, entry.id)
      .then((found) => {
        if (found?.lease !== undefined) leadDetached(visit, key, found.lease, entry)
      })
      .catch((error) => storeFailed('load', error))
  }

  function report(
    outcome: CacheReadMessage['outcome'],
    layer: 'l1' | 'l2' | undefined,
    collapsed: boolean,
  ): void {
    if (readChannel.hasSubscribers) readChannel.publish({ cache: parts.name, outcome, layer, collapsed })
  }

  function reportLoad(outcome: LeadOutcome, stored: boolean): void {
    if (!loadChannel.hasSubscribers) return
    const durationMs = outcome.kind === 'stored' ? outcome.costMs : 0
    const kind =
      outcome.kind === 'stored'
        ? stored
          ? 'stored'
          : 'fenced'
        : outcome.kind === 'aborted'
          ? 'failed'
          : 'unstored'
    loadChannel.publish({ cache: parts.name, outcome: kind, durationMs })
  }

  function storeFailed(operation: 'load' | 'read' | 'fill', error: unknown): void {
    if (storeErrorChannel.hasSubscribers) storeErrorChannel.publish({ cache: parts.name, operation, error })
  }
}

const REFUSED: Settled = { kind: 'refused' }
const AGAIN: Settled = { kind: 'again' }
const LATE: Settled = REFUSED
const UNREF = { ref: false }

function settledBy(outcome: LeadOutcome): Settled {
  if (outcome.kind === 'aborted') return AGAIN
  if (outcome.kind === 'refused') return REFUSED
  return {
    kind: 'stored',
    response: outcome.response,
    freshUntil: performance.now() + outcome.ttlMs,
    found: false,
  }
}

function variantKey(key: string, names: readonly string[], req: HttpRequest): string {
  return `${key}\n#${variantOf(names, req.headers)}`
}

function sameNames(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return a !== undefined && a.length === b.length && a.every((name, i) => name === b[i])
}

/** Cache groups are of one origin; surrogate keys are plain tags. */
function wireTags([groups = '', surrogateKeys = '']: readonly string[], origin: string): string[] {
  const grouped = (parseStringList(groups) ?? []).slice(0, 128).map((group) => groupTag(origin, group))
  const plain = surrogateKeys.split(' ').filter((key) => key !== '' && key.length <= 1_024)
  return [...grouped, ...plain.slice(0, 128)]
}

function markerDraft(kind: 'vary' | 'uncacheable', value: VaryMarker | null, ttlMs: number): Draft {
  const body = Buffer.from(JSON.stringify(value))
  return {
    kind,
    body,
    compressed: false,
    codec: 0,
    value,
    valueBytes: body.length * 3,
    ttlMs,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    l1TtlMs: 0,
    costMs: 0,
  }
}

const RULES: Readonly<Record<string, string>> = Object.freeze({
  credentials: 'the request carries credentials, and no `partition` is named',
  method: 'RFC 9111 §4: only GET and HEAD are answered from the cache',
  unsafe: 'RFC 9111 §4: unsafe methods are written through',
  'hit-for-miss': 'the last response could not be stored, so nobody waits for this one',
  precondition: 'RFC 9111 §4.3.2: conditions that only the origin can evaluate',
  'no-store': 'RFC 9111 §5.2.1.5',
  range: 'RFC 9111 §3.3: a part is not stored',
})

function ruleOf(reason: string): string {
  return RULES[reason] ?? reason
}
