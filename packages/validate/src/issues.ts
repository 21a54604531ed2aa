import { isPlainName, ReceivedText } from './disclosure.js'
import type { Part } from './options.js'
import type { SchemaIssue } from './schema.js'

/** One entry of `errors` in the answer. */
export interface ReportedIssue {
  /** Which part of the request. */
  in: Part
  /** Where in that part: a JSON pointer as URI fragment, `#/items/0/name`; `#` is the whole part. */
  pointer: string
  /** Why, in words that hold nothing of what was received. */
  detail: string
}

/** What one schema found in one part. */
export interface PartFailure {
  part: Part
  issues: readonly SchemaIssue[]
  /** What the schema was given; `undefined` if the part was refused before. */
  received: unknown
}

/** The issues of a request, as far as the answer lists them. */
export interface IssueReport {
  /** The parts that have issues. */
  parts: readonly Part[]
  errors: readonly ReportedIssue[]
  /** How many more there are. */
  omitted: number
}

/** Turns what the schemas found into what the client may see: bounded, and without received values. */
export function reportIssues(failures: readonly PartFailure[], maxIssues: number): IssueReport {
  const errors: ReportedIssue[] = []
  let found = 0
  for (const { part, issues, received } of failures) {
    found += issues.length
    const listed = issues.slice(0, maxIssues - errors.length)
    for (const issue of describeIssues(listed, received)) errors.push({ in: part, ...issue })
  }
  return { parts: failures.map(({ part }) => part), errors, omitted: found - errors.length }
}

/** Where and why, for each issue that a schema found in `received`. */
export function describeIssues(
  issues: readonly SchemaIssue[],
  received: unknown,
): Omit<ReportedIssue, 'in'>[] {
  const text = new ReceivedText(received)
  return issues.map((issue) => ({ pointer: pointerTo(issue.path), detail: detailOf(issue, text) }))
}

const MAX_DETAIL_LENGTH = 256

/**
 * The library's message where it repeats nothing that was received; else what the library expected there
 * (valibot and arktype say so in `expected`), under the same condition; else a phrase that says nothing.
 */
function detailOf(issue: SchemaIssue, received: ReceivedText): string {
  const { expected } = issue as { expected?: unknown }
  const wordings = [issue.message, typeof expected === 'string' ? `Expected ${expected}` : '']
  return (
    wordings.find(
      (words) => words !== '' && words.length <= MAX_DETAIL_LENGTH && !received.occursIn(words),
    ) ?? 'Not valid.'
  )
}

/**
 * A JSON pointer in its URI fragment form (RFC 6901 §6). It ends before a name that does not look like one:
 * in a record, names are data, and may be anything.
 */
function pointerTo(path: SchemaIssue['path']): string {
  let pointer = '#'
  for (const segment of path ?? []) {
    const name = typeof segment === 'object' ? segment.key : segment
    if (typeof name === 'symbol' || !isPlainName(String(name))) break
    pointer += `/${encodeURIComponent(String(name).replaceAll('~', '~0').replaceAll('/', '~1'))}`
  }
  return pointer
}
