import type { FatalMessage } from './channels.js'
import { property, textProperty } from './property.js'

const MAX_CAUSES = 8

/** What is written of a fatal error: stacks only. Other properties of an error may hold secrets. */
export function fatalText({ error, origin }: FatalMessage): string {
  const lines = [`Fatal error (${origin}): ${stackOf(error)}`]
  let cause = property(error, 'cause')
  for (let depth = 0; cause !== undefined && depth < MAX_CAUSES; depth++) {
    lines.push(`Caused by: ${stackOf(cause)}`)
    cause = property(cause, 'cause')
  }
  return `${lines.join('\n')}\n`
}

function stackOf(thrown: unknown): string {
  const stack = textProperty(thrown, 'stack') ?? textProperty(thrown, 'message')
  if (stack !== undefined) return stack
  return Object(thrown) === thrown ? typeof thrown : String(thrown)
}
