import { unescape as decodePercent } from 'node:querystring'
import type { Request } from 'express'
import { QueryTooLarge } from '../errors.js'
import type { DuplicatePolicy, Rules } from '../options.js'
import { type ArrayMembers, arrayMembers } from '../schema/array-members.js'
import { Tentative } from '../schema/arrays-by-trial.js'
import type { Schema } from '../schema/schema.js'
import { type Fault, repeatedFault } from './fault.js'
import { once } from './once.js'

/** What the schema of the query is given: no prototype, one string or an array of strings per name. */
export type Query = Record<string, string | string[]>

/**
 * Reads the query string from the URL, once per call and without Express' `query parser` setting, so that the
 * same bytes mean the same on Express 4 and 5. Brackets in a name mean nothing; a parameter named `__proto__` is
 * dropped.
 *
 * @returns a `Fault` if a parameter comes more than once and the policy is `reject`; something `Tentative` where the schema
 *   does not say which parameters are arrays
 * @throws {QueryTooLarge} too long, or too many parameters
 */
export type QueryReader = (req: Request) => Query | Fault | Tentative

/** @param schema  asked for its array parameters at the first request, if the options do not name them */
export function queryReader(
  rules: Pick<Rules, 'duplicates' | 'queryArrays' | 'maxQueryBytes' | 'maxQueryParameters'>,
  schema: Schema,
): QueryReader {
  const { duplicates, maxQueryBytes, maxQueryParameters } = rules
  // Not at construction: a lazy schema may refer to one that is defined later.
  const arraysOf = once((): ArrayMembers | undefined =>
    rules.queryArrays ? new Map(rules.queryArrays.map((name) => [name, 'always'])) : arrayMembers(schema),
  )

  return function readQuery(req) {
    const arrays = arraysOf()
    const query: Query = Object.create(null)
    const start = req.url.indexOf('?') + 1
    if (start === 0) return query
    if (req.url.length - start > maxQueryBytes) throw new QueryTooLarge(`${maxQueryBytes} bytes`)
    const pairs = req.url.slice(start).split('&', maxQueryParameters + 1)
    if (pairs.length > maxQueryParameters) throw new QueryTooLarge(`${maxQueryParameters} parameters`)
    const repeated = collect(query, pairs, arrays, duplicates)
    const isRefused = repeated !== undefined && duplicates === 'reject'
    if (arrays === undefined) return new Tentative(query, repeated, isRefused)
    return isRefused ? repeatedFault(repeated.keys()) : query
  }
}

/** @returns all values of the parameters that came more than once and are not known as arrays */
function collect(
  query: Query,
  pairs: readonly string[],
  arrays: ArrayMembers | undefined,
  duplicates: DuplicatePolicy,
): Map<string, string[]> | undefined {
  let repeated: Map<string, string[]> | undefined
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals))
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1))
    if (name === '__proto__') continue
    const earlier = query[name]
    const kind = arrays?.get(name)
    if (kind !== undefined && Array.isArray(earlier)) {
      earlier.push(value)
    } else if (kind === 'always') {
      query[name] = [value]
    } else if (earlier === undefined) {
      query[name] = value
    } else if (kind === 'repeated') {
      query[name] = [earlier as string, value]
    } else {
      repeated ??= new Map()
      const values = repeated.get(name) ?? [earlier as string]
      repeated.set(name, values)
      values.push(value)
      if (duplicates === 'last') query[name] = value
      else if (duplicates === 'array') query[name] = values
    }
  }
  return repeated
}

/** As in a form: `+` is a space. Bytes that are no UTF-8 become U+FFFD, a stray `%` stays. */
function decode(text: string): string {
  if (!/[%+]/.test(text)) return text
  return decodePercent(text.replaceAll('+', ' '))
}
