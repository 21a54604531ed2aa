import type { Part } from '../options.js'
import type { Schema, SchemaIssue } from '../schema/schema.js'
import { repeatedIn, Sentences } from './disclosure.js'
import { disguised } from './disguise.js'
import { pointerTo } from './pointer.js'

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
  /** The schema, if it answers at once and may be asked again. */
  schema?: Schema | undefined
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
  for (const { part, issues, received, schema } of failures) {
    found += issues.length
    const listed = issues.slice(0, maxIssues - errors.length)
    for (const issue of describeIssues(listed, received, schema)) errors.push({ in: part, ...issue })
  }
  return { parts: failures.map(({ part }) => part), errors, omitted: found - errors.length }
}

/**
 * Where and why, for each issue that a schema found in `received`.
 *
 * The reason is the library's message, else what the library expected there (valibot and arktype say so in `expected`),
 * else a phrase that says nothing: the first that quotes nothing received. A sentence that holds something received is
 * traced: the schema is asked again with other values in the place of those, and what it then says word for word in the
 * same place is no quote.
 *
 * @param schema  to ask again; without it, all that holds something received counts as a quote
 */
export function describeIssues(
  issues: readonly SchemaIssue[],
  received: unknown,
  schema?: Schema,
): Omit<ReportedIssue, 'in'>[] {
  const wordings = new Set(issues.flatMap(wordingsOf))
  const repeated = repeatedIn(new Sentences(wordings), received)
  const texts = [...(repeated ?? [])]
  const suspect = [...wordings].filter((words) => repeated === undefined || quotesOneOf(words, texts))
  const withheld = new Set(suspect)
  const said = suspect.length > 0 && repeated && schema ? saidOfOthers(schema, received, repeated) : undefined
  return issues.map((issue) => ({
    pointer: pointerTo(issue.path),
    detail:
      wordingsOf(issue).find((words) => !withheld.has(words) || said?.has(placed(issue, words))) ??
      'Not valid.',
  }))
}

function quotesOneOf(words: string, texts: readonly string[]): boolean {
  if (texts.length === 0) return false
  const sentence = new Sentences([words])
  return texts.some((text) => sentence.repeats(text))
}

/** What the schema says, and where, once the values that might be quoted are others. */
function saidOfOthers(
  schema: Schema,
  received: unknown,
  repeated: ReadonlySet<string>,
): ReadonlySet<string> | undefined {
  try {
    const result = schema['~standard'].validate(disguised(received, repeated))
    if (!(result instanceof Promise)) {
      return new Set(
        result.issues?.flatMap((issue) => wordingsOf(issue).map((words) => placed(issue, words))),
      )
    }
    result.catch(() => {})
  } catch {
    // What cannot be told apart from a quote counts as one.
  }
  return undefined
}

function placed(issue: SchemaIssue, words: string): string {
  const names = issue.path?.map((segment) => String(typeof segment === 'object' ? segment.key : segment))
  return JSON.stringify([names, words])
}

const MAX_DETAIL_LENGTH = 256

function wordingsOf(issue: SchemaIssue): string[] {
  const { expected } = issue as { expected?: unknown }
  const wordings = [issue.message, typeof expected === 'string' ? `Expected ${expected}` : '']
  return wordings.filter((words) => words !== '' && words.length <= MAX_DETAIL_LENGTH)
}
