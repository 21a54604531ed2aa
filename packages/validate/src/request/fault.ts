import type { SchemaIssue } from '../schema/schema.js'

/** A part that is refused before its schema sees it. Has the shape of a schema's failed result. */
export class Fault {
  readonly issues: readonly SchemaIssue[]

  /** @param detail  a fixed sentence that holds nothing received */
  constructor(path: readonly string[], detail: string, ...more: readonly SchemaIssue[]) {
    this.issues = [{ path, message: detail }, ...more]
  }
}

/** A query says the same name twice, and nothing says that it is a list. */
export function repeatedFault(names: Iterable<string>): Fault {
  const detail = 'Given more than once.'
  const [first, ...rest] = names
  return new Fault([first!], detail, ...rest.map((name) => ({ path: [name], message: detail })))
}
