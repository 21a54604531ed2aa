import { parseStructuredDictionary, type StructuredMember } from '@scale/core'
import type { ResolvedHttpOptions } from '../middleware/options.js'
import type { HttpRequest } from './cache-key.js'

/**
 * Directives of `Cache-Control`: names in lower case; the argument, or `true` if there is none. Several fields, or one
 * directive twice, are judged conservatively: the shorter lifetime counts, a lifetime that is no number is 0, a list of
 * fields that names none means all, and what hides behind a quotation mark that is never closed may be `no-store`.
 */
export type Directives = ReadonlyMap<string, string | true>

const NONE: Directives = new Map()
/** Directives whose argument is a number of seconds. */
const SECONDS = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'])

/** RFC 9111 §1.2.2: larger numbers count as this. */
const MAX_SECONDS = 2 ** 31

/** @see RFC 9111 §5.2; the grammar of the list is RFC 9110 §5.6.1 */
export function parseCacheControl(field: string | readonly string[] | undefined): Directives {
  if (field === undefined || field.length === 0) return NONE
  const text = typeof field === 'string' ? field : field.join(',')
  const directives = new Map<string, string | true>()
  // A quoted string is one token, so that nothing inside it is taken for a directive.
  for (const match of text.matchAll(
    /([!#$%&'*+\-.^_`|~\w]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"?|[^\s,"]*))?[^,"]*|"(?:[^"\\]|\\.)*"?/g,
  )) {
    if (isUnclosed(match[1] === undefined ? match[0] : match[2])) directives.set('no-store', true)
    const name = match[1]?.toLowerCase()
    if (name === undefined) continue
    const argument = match[2] === undefined || namesNoField(name, match[2]) ? true : unquoted(match[2])
    directives.set(name, stricter(name, directives.get(name), argument))
  }
  return directives
}

/**
 * Directives of a targeted field, which is a dictionary: `undefined` if it is malformed, and then all of it is to be
 * ignored. What is of another type than is expected, a string above all, is not there.
 *
 * @see RFC 9213 §2.1
 */
export function parseTargeted(field: string | readonly string[]): Directives | undefined {
  const members = parseStructuredDictionary(field)
  if (members === undefined) return undefined
  const directives = new Map<string, string | true>()
  for (const [name, member] of members) {
    const argument = SECONDS.has(name) ? wholeSeconds(member) : argumentOf(member)
    if (argument !== undefined) directives.set(name, argument)
  }
  return directives
}

function wholeSeconds({ type, ...member }: StructuredMember): string | undefined {
  return type === 'integer' && 'value' in member && Number(member.value) >= 0
    ? String(member.value)
    : undefined
}

function argumentOf(member: StructuredMember): string | true | undefined {
  if (member.type === 'boolean') return member.value || undefined
  return member.type === 'string' || member.type === 'token' ? member.value : true
}

function isUnclosed(text: string | undefined): boolean {
  return text?.startsWith('"') === true && !/^"(?:[^"\\]|\\.)*"$/.test(text)
}

function namesNoField(name: string, argument: string): boolean {
  return (name === 'private' || name === 'no-cache') && /^["\s,]*$/.test(argument)
}

/** Seconds of a directive: 0 if it has no usable number, `undefined` if it is not there. */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const argument = directives.get(name)
  if (argument === undefined) return undefined
  return typeof argument === 'string' && /^\d+$/.test(argument) ? Math.min(Number(argument), MAX_SECONDS) : 0
}

function stricter(name: string, before: string | true | undefined, now: string | true): string | true {
  if (before === undefined || before === now) return now
  if (SECONDS.has(name)) {
    const [a, b] = [before, now].map((value) => (/^\d+$/.test(String(value)) ? Number(value) : 0))
    return String(Math.min(a!, b!))
  }
  // `no-cache` beside `no-cache="field"`: the one without fields forbids more.
  return before === true || now === true ? true : `${before},${now}`
}

function unquoted(text: string): string {
  return text.startsWith('"')
    ? text.slice(1, text.endsWith('"') ? -1 : undefined).replace(/\\(.)/g, '$1')
    : text
}

/** Field names of `no-cache="…"` and `private="…"`, in lower case. */
export function fieldsOf(directives: Directives, name: 'no-cache' | 'private'): string[] {
  const argument = directives.get(name)
  if (typeof argument !== 'string') return []
  return argument
    .split(',')
    .map((field) => field.trim().toLowerCase())
    .filter((field) => field !== '')
}

/** What a client asks of the cache. */
export interface ClientDirectives {
  /** Nothing of it is to be stored. */
  readonly noStore: boolean
  readonly onlyIfCached: boolean
  /** A fresh response may not be fresh enough. */
  readonly isStrict: boolean
  readonly maxAgeMs: number
  readonly minFreshMs: number
}

const ASKS_NOTHING: ClientDirectives = Object.freeze({
  noStore: false,
  onlyIfCached: false,
  isStrict: false,
  maxAgeMs: Number.POSITIVE_INFINITY,
  minFreshMs: 0,
})

/**
 * Reads the directives of a request. They are advisory; unless the route honours them, only `only-if-cached` counts,
 * so that nobody on the internet can make the handler run.
 *
 * @see RFC 9111 §5.2.1, §5.4
 */
export function clientDirectives({ headers }: HttpRequest, options: ResolvedHttpOptions): ClientDirectives {
  const field = headers['cache-control']
  const isIgnored = options.clientDirectives === 'ignore'
  if (field === undefined && (headers.pragma === undefined || isIgnored)) return ASKS_NOTHING
  const directives = parseCacheControl(field)
  const onlyIfCached = directives.has('only-if-cached')
  if (isIgnored) return onlyIfCached ? { ...ASKS_NOTHING, onlyIfCached } : ASKS_NOTHING
  const noCache =
    directives.has('no-cache') || (field === undefined && /no-cache/i.test(headers.pragma ?? ''))
  const maxAge = secondsOf(directives, 'max-age')
  const minFresh = secondsOf(directives, 'min-fresh')
  return {
    noStore: directives.has('no-store'),
    onlyIfCached,
    isStrict: noCache || maxAge !== undefined || minFresh !== undefined,
    maxAgeMs: noCache ? -1 : maxAge === undefined ? Number.POSITIVE_INFINITY : maxAge * 1_000,
    minFreshMs: (minFresh ?? 0) * 1_000,
  }
}
