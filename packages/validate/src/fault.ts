import type { SchemaIssue } from './schema.js'

/** A part that is refused before its schema sees it. Has the shape of a schema's failed result. */
export class Fault {
  readonly issues: readonly SchemaIssue[]

  /** @param detail  a fixed sentence that holds nothing received */
  constructor(path: readonly string[], detail: string, ...more: readonly SchemaIssue[]) {
    this.issues = [{ path, message: detail }, ...more]
  }
}
