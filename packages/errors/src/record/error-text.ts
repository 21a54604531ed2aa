import { elementsOf, property, textProperty } from '../property.js'

const MAX_ERRORS = 32
const MAX_MEMBERS = 16

/**
 * What is written of an error where no logger does it: its stack, those of its causes and of the members of an
 * AggregateError, each once, with `code` and `status`. Not its other properties: an HTTP client keeps the request in them,
 * with its credentials.
 */
export function errorText(error: unknown): string {
  const seen = new Set<unknown>()
  const lines: string[] = []
  add('', error)
  return lines.join('\n')

  function add(prefix: string, one: unknown): void {
    if (seen.has(one) || seen.size >= MAX_ERRORS) return
    seen.add(one)
    lines.push(`${prefix}${stackOf(one)}${marksOf(one)}`)
    const cause = property(one, 'cause')
    if (cause !== undefined) add('Caused by: ', cause)
    for (const member of elementsOf(property(one, 'errors'), MAX_MEMBERS) ?? []) {
      if (textProperty(member, 'stack') !== undefined) add('One of its errors: ', member)
    }
  }
}

function marksOf(error: unknown): string {
  const marks = ['code', 'status', 'statusCode'].flatMap((name) => {
    const value = property(error, name)
    return typeof value === 'string' || typeof value === 'number' ? [`${name}: ${value}`] : []
  })
  return marks.length === 0 ? '' : `\n    (${marks.join(', ')})`
}

function stackOf(thrown: unknown): string {
  const stack = textProperty(thrown, 'stack') ?? textProperty(thrown, 'message')
  if (stack !== undefined) return stack
  return Object(thrown) === thrown ? typeof thrown : String(thrown)
}
