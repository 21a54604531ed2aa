import type { Mapped } from '../problem.js'
import { elementsOf, property, textProperty } from '../property.js'

const MAX_ISSUES = 100
const MAX_SEGMENTS = 64

/**
 * A failure of any Standard Schema library that was thrown as it is: `issues: [{ message, path }]`.
 *
 * Libraries quote received values in their messages, each in its own way, so a message is shown only where it is
 * known not to; else what the schema expected, which is no secret.
 *
 * @see https://standardschema.dev
 */
export function mapSchemaIssues(thrown: unknown): Mapped | undefined {
  const issues = elementsOf(property(thrown, 'issues'), MAX_ISSUES + 1)
  if (issues === undefined || issues.length === 0 || !issues.every(isIssue)) return undefined
  const listed = issues.slice(0, MAX_ISSUES)
  const errors = listed.map((issue) => ({
    pointer: pointerTo(property(issue, 'path')),
    detail: detailOf(issue),
  }))
  return {
    status: 422,
    code: 'ERR_SCALE_INVALID_INPUT',
    detail: 'The request is not valid: see `errors`.',
    extensions: { errors },
  }
}

function isIssue(value: unknown): boolean {
  return typeof property(value, 'message') === 'string'
}

/** Kinds of issue, in zod 4, whose message tells the schema and the type of what came, never its value. */
const QUOTES_NOTHING = new Set([
  'custom',
  'invalid_element',
  'invalid_format',
  'invalid_key',
  'invalid_type',
  'invalid_union',
  'invalid_value',
  'not_multiple_of',
  'too_big',
  'too_small',
])
const MAX_DETAIL_LENGTH = 256

function detailOf(issue: unknown): string {
  const isQuiet =
    QUOTES_NOTHING.has(textProperty(issue, 'code') ?? '') &&
    ['received', 'input', 'actual', 'data'].every((name) => property(issue, name) === undefined)
  const expected = textProperty(issue, 'expected')
  const words = isQuiet ? textProperty(issue, 'message') : expected && `Expected ${expected}.`
  return words !== undefined && words !== '' && words.length <= MAX_DETAIL_LENGTH ? words : 'Not valid.'
}

/**
 * A JSON pointer in its URI fragment form, RFC 6901 §6: `#/items/0/a~1b`. It ends before a segment that does not
 * look like a name: in a record, names are data, and may be anything.
 */
export function pointerTo(path: unknown): string {
  let pointer = '#'
  for (const segment of elementsOf(path, MAX_SEGMENTS) ?? []) {
    const name = typeof segment === 'object' ? property(segment, 'key') : segment
    if (typeof name !== 'string' && typeof name !== 'number') break
    if (!/^[\p{L}\p{N}_$.:~/% -]{1,64}$/u.test(String(name))) break
    pointer += `/${encodeURIComponent(String(name).replaceAll('~', '~0').replaceAll('/', '~1'))}`
  }
  return pointer
}
