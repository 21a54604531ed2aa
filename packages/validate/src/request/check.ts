import type { Request } from 'express'
import type { PartFailure } from '../issues/issues.js'
import { type Part, parts, type Rules } from '../options.js'
import { Tentative } from '../schema/arrays-by-trial.js'
import type { Schema, SchemaResult } from '../schema/schema.js'
import { bodyReader } from './body.js'
import { readCookies } from './cookies.js'
import { Fault } from './fault.js'
import { queryReader } from './query.js'

/** How one part gets from the request to its schema. */
export interface PartReader {
  part: Part
  schema: Schema
  /** Returns a `Fault` if the part is refused before its schema sees it, something `Tentative` if the schema is to decide. */
  read: (req: Request) => unknown
}

/** One reader per part that has a schema, in the order in which issues are reported. */
export function partReaders(rules: Rules): PartReader[] {
  const { query } = rules
  const readers: Record<Part, (req: Request) => unknown> = {
    params: (req) => req.params,
    query: query === undefined ? () => undefined : queryReader(rules, query),
    headers: (req) => req.headers,
    cookies: readCookies,
    body: bodyReader(rules, rules.body),
  }
  return parts.flatMap((part) => {
    const schema = rules[part]
    return schema === undefined ? [] : [{ part, schema, read: readers[part] }]
  })
}

/** What each schema was given, and what it said, in the order of the readers. */
export interface Check {
  received: readonly unknown[]
  results: readonly SchemaResult[]
  /** True if every schema answered at once: then asking it again starts nothing. */
  atOnce: boolean
}

/** All parts are read before the first schema runs, so that a part that cannot be read leaves no promise behind. */
export function checkParts(readers: readonly PartReader[], req: Request): Check | Promise<Check> {
  const received = readers.map(({ read }) => read(req))
  const results = readers.map(({ schema }, index) => applySchema(schema, received, index))
  return results.some((result) => result instanceof Promise)
    ? Promise.all(results).then((settled) => ({ received, results: settled, atOnce: false }))
    : { received, results: results as SchemaResult[], atOnce: true }
}

/**
 * Asks a schema about `received[index]`, which becomes what the schema has settled on.
 *
 * What a schema throws is a promise like what an async one rejects with: then no other part's promise is left.
 */
function applySchema(
  schema: Schema,
  received: unknown[],
  index: number,
): SchemaResult | Promise<SchemaResult> {
  const given = received[index]
  if (given instanceof Fault) return given
  try {
    if (!(given instanceof Tentative)) return schema['~standard'].validate(given)
    const trial = given.settle(schema)
    received[index] = trial.received
    return trial.result
  } catch (error) {
    return Promise.reject(error)
  }
}

/** What the schemas found, or `undefined` if all of them agree. */
export function failuresOf(readers: readonly PartReader[], check: Check): PartFailure[] | undefined {
  let failures: PartFailure[] | undefined
  for (const [index, { part, schema }] of readers.entries()) {
    const result = check.results[index]!
    if (result.issues === undefined) continue
    failures ??= []
    const received = check.received[index]
    failures.push(
      received instanceof Fault
        ? { part, issues: result.issues, received: undefined }
        : { part, issues: result.issues, received, schema: check.atOnce ? schema : undefined },
    )
  }
  return failures
}
