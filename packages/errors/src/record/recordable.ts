import { holdsRawBody, quotesRawBody } from '../problem/mappers/body-parser.js'
import { isError, property, textProperty } from '../property.js'

/**
 * The error that logs and listeners get: the one that was thrown, unless it carries the raw body, or is no `Error`.
 * Then one in its place, with its stack.
 */
export function recordable(thrown: unknown): Error {
  if (!isError(thrown)) {
    const kind = thrown === null ? 'null' : typeof thrown
    return new Error(`Something was thrown that is not an Error (${kind}).`, { cause: thrown })
  }
  return holdsRawBody(thrown) || quotesRawBody(thrown) ? withoutBody(thrown) : thrown
}

/** body-parser attaches the body as `error.body`, and `JSON.parse` quotes it in the message, which starts the stack. */
function withoutBody(error: Error): Error {
  const message = quotesRawBody(error)
    ? 'The body is not well formed.'
    : (textProperty(error, 'message') ?? '')
  const name = textProperty(error, 'name') ?? 'Error'
  const copy = Object.assign(new Error(message), {
    name,
    status: property(error, 'status'),
    type: property(error, 'type'),
  })
  copy.stack = [`${name}: ${message}`, ...framesOf(error)].join('\n')
  return copy
}

function framesOf(error: Error): string[] {
  const stack = textProperty(error, 'stack') ?? ''
  const message = textProperty(error, 'message') ?? ''
  const afterMessage = stack.indexOf(message) + message.length
  return stack
    .slice(afterMessage)
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
}
