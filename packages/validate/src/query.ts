import { unescape as decodePercent } from 'node:querystring'
import type { Request } from 'express'
import { type ArrayMembers, arrayMembers } from './array-members.js'
import { QueryTooLarge } from './errors.js'
import { Fault } from './fault.js'
import type { DuplicatePolicy, Rules } from './options.js'
import type { Schema } from './schema.js'

/** What the schema of the query is given: no prototype, one string or an array of strings per name. */
export type Query = Record<string, string | string[]>

/**
 * Reads the query string from the URL, once per call and without Express' `query parser` setting, so that the
 * same bytes mean the same on Express 4 and 5. Brackets in a name mean nothing; a parameter named `__proto__` is
 * dropped.
 *
 * @returns a `Fault` if a parameter comes more than once and the policy is `reject`
 * @throws {QueryTooLarge} too long, or too many parameters
 */
export type QueryReader = (req: Request) => Query | Fault

/** @param schema  asked for its array parameters at the first request, if the options do not name them */
export function queryReader(
  rules: Pick<Rules, 'duplicates' | 'queryArrays' | 'maxQueryBytes' | 'maxQueryParameters'>,
  schema: Schema,
): QueryReader {
  const { duplicates, maxQueryBytes, maxQueryParameters } = rules
  let arrays: ArrayMembers | undefined =
    rules.queryArrays && new Map(rules.queryArrays.map((name) => [name, 'always']))

  return function readQuery(req) {
    // Not at construction: a lazy schema may refer to one that is defined later.
    arrays ??= arrayMembers(schema)
    const query: Query = Object.create(null)
    const start = req.url.indexOf('?') + 1
    if (start === 0) return query
    if (req.url.length - start > maxQueryBytes) throw new QueryTooLarge(`${maxQueryBytes} bytes`)
    const pairs = req.url.slice(start).split('&', maxQueryParameters + 1)
    if (pairs.length > maxQueryParameters) throw new QueryTooLarge(`${maxQueryParameters} parameters`)
    const repeated = collect(query, pairs, arrays, duplicates)
    return repeated === undefined ? query : repeatedFault(repeated)
  }
}

/** @returns the names that came more than once against the policy */
function collect(
  query: Query,
  pairs: readonly string[],
  arrays: ArrayMembers,
  duplicates: DuplicatePolicy,
): Set<string> | undefined {
  let repeated: Set<string> | undefined
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals))
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1))
    if (name === '__proto__') continue
    const earlier = query[name]
    const kind = arrays.get(name)
    if (kind !== undefined && Array.isArray(earlier)) {
      earlier.push(value)
    } else if (kind === 'always') {
      query[name] = [value]
    } else if (kind === 'repeated') {
      query[name] = earlier === undefined ? value : [earlier as string, value]
    } else if (earlier === undefined || duplicates === 'last') {
      query[name] = value
    } else if (duplicates === 'array') {
      query[name] = Array.isArray(earlier) ? [...earlier, value] : [earlier, value]
    } else if (duplicates === 'reject') {
      repeated ??= new Set()
      repeated.add(name)
    }
  }
  return repeated
}

function repeatedFault(names: ReadonlySet<string>): Fault {
  const detail = 'Given more than once.'
  const [first, ...rest] = names
  return new Fault([first!], detail, ...rest.map((name) => ({ path: [name], message: detail })))
}

/** As in a form: `+` is a space. Bytes that are no UTF-8 become U+FFFD, a stray `%` stays. */
function decode(text: string): string {
  if (!/[%+]/.test(text)) return text
  return decodePercent(text.replaceAll('+', ' '))
}
