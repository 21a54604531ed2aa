import type { ResolvedHttpOptions } from '../middleware/options.js'
import { type Directives, fieldsOf, parseCacheControl, parseTargeted } from './cache-control.js'
import { Fields } from './fields.js'
import { explicitLifetimeMs, heuristicLifetimeMs, initialAge, staleLimits } from './freshness.js'
import { parseVary, personalField } from './vary.js'

/** What the cache's key has of the request beside the resource. */
export interface Keyed {
  /** Request fields, in lower case. */
  readonly declared: readonly string[]
  /** The request carries credentials, and the route named a partition for them. */
  readonly partitioned: boolean
}

/** Why a response is not stored: a word for `Cache-Status`, and the rule. */
export interface Refusal {
  readonly store: false
  readonly reason: string
  readonly rule: string
}

/** How a response is stored. */
export interface Storable {
  readonly store: true
  /** Freshness lifetime, from the response's generation on, in ms. */
  readonly lifetimeMs: number
  /** It was stale when it came, and is stored only to be revalidated. */
  readonly isNeverFresh: boolean
  /** What of it has passed already, in ms. */
  readonly initialAgeMs: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  /** Request fields that chose this response. */
  readonly vary: readonly string[]
  /** Response fields that are not to be stored, in lower case. */
  readonly strip: readonly string[]
  /** What gave it its lifetime. */
  readonly rule: string
}

/** Final statuses whose meaning is known here: those that `must-understand` means. */
const UNDERSTOOD = new Set([
  200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 409, 410, 414, 415, 422, 451,
  500, 501, 502, 503, 504,
])
/** Final statuses that are parts of a response, or of an exchange about one. */
const PARTS = new Set([206, 304])
/** Those that a route's lifetime applies to. */
const ROUTE_STATUSES = new Set([200, 203, 300, 301, 308])
const NEGATIVE_STATUSES = new Set([404, 410])
/** Those that may have a lifetime by heuristics. @see RFC 9110 §15.1 */
const HEURISTIC_STATUSES = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

/**
 * Whether, and for how long, a shared cache may store a response.
 *
 * @param nowMs  epoch ms, when it was received
 * @see RFC 9111 §3, §3.5, §4.2 · RFC 5861 · RFC 9213
 */
export function judge(
  status: number,
  fields: Fields,
  policy: ResolvedHttpOptions,
  { declared, partitioned }: Keyed,
  nowMs: number,
): Storable | Refusal {
  const { directives, source } = effectiveDirectives(fields, policy.targets)
  const vary = parseVary(fields.get('vary'))
  const mustUnderstand = directives.has('must-understand')
  if (status < 200 || PARTS.has(status) || (mustUnderstand && !UNDERSTOOD.has(status)))
    return refusal('status', 'RFC 9111 §3: the status code is final, and understood where it must be')
  // `must-understand` with a status that is understood lifts `no-store`.
  if (directives.has('no-store') && !mustUnderstand) return refusal('no-store', 'RFC 9111 §5.2.2.5')
  if (directives.get('private') === true && !partitioned) return refusal('private', 'RFC 9111 §5.2.2.7')
  const isForRevalidation =
    policy.policy === 'origin' && policy.keepMs > 0 && (fields.has('etag') || fields.has('last-modified'))
  const noCache = directives.get('no-cache') === true
  if (noCache && !isForRevalidation) return refusal('no-cache', 'RFC 9111 §5.2.2.4')
  if (fields.has('set-cookie') && policy.setCookie === 'refuse')
    return refusal('set-cookie', 'RFC 9111 §7.3: it is meant for one client')
  if (vary === undefined) return refusal('vary', 'RFC 9111 §4.1: `*` never matches')
  const personal = personalField(vary, declared)
  if (personal !== undefined)
    return refusal('vary', `a variant for each ${personal}; declare it in \`headers\``)
  if ((fields.text('content-type') ?? '').startsWith('text/event-stream')) {
    return refusal('event-stream', 'it does not end')
  }

  const explicit = explicitLifetimeMs(directives, source === 'cache-control' ? fields : undefined, nowMs)
  const isHeuristic = HEURISTIC_STATUSES.has(status) || directives.has('public')
  const given = noCache
    ? { lifetimeMs: 0, rule: 'no-cache' }
    : (explicit ??
      routeLifetimeMs(status, policy) ??
      (isHeuristic ? heuristicLifetimeMs(fields, policy.heuristicRatio, nowMs) : undefined))
  if (given === undefined)
    return refusal('no-freshness', 'RFC 9111 §3: no explicit lifetime, and no heuristics')
  const initialAgeMs = initialAge(fields, nowMs)
  const isStale = given.lifetimeMs <= initialAgeMs
  if (isStale && !isForRevalidation) return refusal('stale', 'RFC 9111 §4.2: it was stale when it came')
  return {
    store: true,
    lifetimeMs: isStale ? initialAgeMs : given.lifetimeMs,
    initialAgeMs,
    isNeverFresh: isStale,
    ...staleLimits(directives, policy),
    vary,
    strip: [...fieldsOf(directives, 'no-cache'), ...(partitioned ? [] : fieldsOf(directives, 'private'))],
    rule: given.rule,
  }
}

function refusal(reason: string, rule: string): Refusal {
  return { store: false, reason, rule }
}

/** The first target field that is valid and not empty stands for `Cache-Control` and `Expires` (RFC 9213 §2.2). */
function effectiveDirectives(
  fields: Fields,
  targets: readonly string[],
): { directives: Directives; source: string } {
  for (const target of targets) {
    const field = fields.get(target)
    if (field === undefined) continue
    const directives = parseTargeted(field)
    if (directives !== undefined && directives.size > 0) return { directives, source: target }
  }
  return { directives: parseCacheControl(fields.get('cache-control')), source: 'cache-control' }
}

function routeLifetimeMs(
  status: number,
  policy: ResolvedHttpOptions,
): { lifetimeMs: number; rule: string } | undefined {
  if (policy.policy === 'origin') return undefined
  if (ROUTE_STATUSES.has(status)) return { lifetimeMs: policy.ttlMs, rule: 'route ttlMs' }
  if (NEGATIVE_STATUSES.has(status) && policy.negativeTtlMs > 0) {
    return { lifetimeMs: policy.negativeTtlMs, rule: 'route negativeTtlMs' }
  }
  return undefined
}

/** Fields that belong to one connection, or that the cache writes itself. @see RFC 9111 §3.1 · RFC 9110 §7.6.1 */
const NEVER_STORED = (
  'connection keep-alive proxy-connection proxy-authenticate proxy-authentication-info proxy-authorization ' +
  'te trailer transfer-encoding upgrade age cache-status content-length'
).split(' ')

/** The fields that are stored. @param strip  others that are not, in lower case */
export function storedFields(fields: Fields, strip: readonly string[]): Fields {
  const named = (fields.text('connection') ?? '').split(',').map((name) => name.trim().toLowerCase())
  return fields.without([...NEVER_STORED, ...named, ...strip])
}

/** Fields of a 304 that do not describe the stored response. */
const NOT_UPDATED = ['content-length', 'content-encoding', 'content-type', 'content-range', 'etag']

/** The stored fields with those of a 304 that confirmed them. @see RFC 9111 §3.2, §4.3.4 */
export function updatedBy(stored: Fields, confirmed: Fields): Fields {
  return new Fields([...stored.lines, ...confirmed.without(NOT_UPDATED).lines])
}
