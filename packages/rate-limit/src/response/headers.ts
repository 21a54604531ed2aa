import type { Decision, PolicyDecision } from './decision.js'

/** A policy as headers describe it. */
export interface DescribedPolicy {
  readonly name: string
  /** Quota units per window. */
  readonly limit: number
  readonly windowMs: number
  /** The name as a String of RFC 9651. */
  readonly item: string
  /** The whole member of `RateLimit-Policy`. */
  readonly terms: string
}

/** Writes once what stays the same from answer to answer. */
export function describePolicy(name: string, limit: number, windowMs: number, unit: string): DescribedPolicy {
  const item = sfString(name)
  const units = unit === 'requests' ? '' : `;qu=${sfString(unit)}`
  const terms = `${item};q=${sfInteger(limit)};w=${seconds(windowMs)}${units}`
  return Object.freeze({ name, limit, windowMs, item, terms })
}

/** Name and value of one response header. */
export type Header = readonly [name: string, value: string]

/** Turns a decision into headers. `policies` are those of the decision, in its order. */
export type WriteHeaders = (decision: Decision, policies: readonly DescribedPolicy[]) => Header[]

/**
 * `RateLimit` and `RateLimit-Policy` as lists of items with parameters.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
 */
const draft10: WriteHeaders = (decision, policies) => {
  let state = ''
  let terms = ''
  for (let index = 0; index < policies.length; index++) {
    const comma = index === 0 ? '' : ', '
    const { remaining, resetAfterMs } = decision.policies[index]!
    state += `${comma}${policies[index]!.item};r=${sfInteger(remaining)};t=${seconds(resetAfterMs)}`
    terms += comma + policies[index]!.terms
  }
  return [
    ['RateLimit', state],
    ['RateLimit-Policy', terms],
  ]
}

/**
 * One header with the state of the policy that is nearest to refusing.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-07
 */
const draft7: WriteHeaders = (decision, policies) => {
  const { limit, remaining, resetAfterMs } = tightest(decision)
  const policy = decision.policies.map(
    (one, index) => `${sfInteger(one.limit)};w=${seconds(policies[index]!.windowMs)}`,
  )
  return [
    [
      'RateLimit',
      `limit=${sfInteger(limit)}, remaining=${sfInteger(remaining)}, reset=${seconds(resetAfterMs)}`,
    ],
    ['RateLimit-Policy', policy.join(', ')],
  ]
}

/** The convention from before the drafts; `X-RateLimit-Reset` in seconds from now. */
const legacy: WriteHeaders = (decision) => {
  const { limit, remaining, resetAfterMs } = tightest(decision)
  return [
    ['X-RateLimit-Limit', String(limit)],
    ['X-RateLimit-Remaining', String(remaining)],
    ['X-RateLimit-Reset', String(seconds(resetAfterMs))],
  ]
}

/** The header styles. A new one is a function here and a line in this list. */
export const headerStyles: Readonly<Record<'draft-10' | 'draft-7' | 'legacy', WriteHeaders>> = {
  'draft-10': draft10,
  'draft-7': draft7,
  legacy,
}

/**
 * - `draft-10`: `RateLimit` and `RateLimit-Policy` of the current IETF draft
 * - `draft-7`: the same names in the form that older clients read
 * - `legacy`: `X-RateLimit-*`
 */
export type HeaderStyle = keyof typeof headerStyles

function tightest({ policies }: Decision): PolicyDecision {
  return policies.reduce((tight, one) => (one.remaining < tight.remaining ? one : tight))
}

/**
 * When a client may come back, in whole seconds: never before the quota does, and up to a tenth later, so that those
 * who were refused together do not return together.
 *
 * @param random  from 0 to 1
 * @returns `undefined` if waiting cannot help
 */
export function retryAfterSeconds(retryAfterMs: number, random: number): number | undefined {
  if (retryAfterMs === Number.POSITIVE_INFINITY) return undefined
  const earliest = Math.max(1, seconds(retryAfterMs))
  return earliest + Math.round(random * Math.ceil(earliest / 10))
}

function seconds(ms: number): number {
  return Math.min(MAX_INTEGER, Math.ceil(ms / 1_000))
}

/** Largest Integer of RFC 9651 §3.3.1. */
const MAX_INTEGER = 999_999_999_999_999

function sfInteger(value: number): string {
  return String(Math.min(MAX_INTEGER, value))
}

/** A String of RFC 9651 §3.3.3. The characters were checked when the policy was made. */
function sfString(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
