import type { SchemaIssue } from '../schema/schema.js'
import { isPlainName } from './disclosure.js'

/**
 * A JSON pointer in its URI fragment form (RFC 6901 §6). It ends before a name that does not look like one:
 * in a record, names are data, and may be anything.
 */
export function pointerTo(path: SchemaIssue['path']): string {
  let pointer = '#'
  for (const segment of path ?? []) {
    const name = typeof segment === 'object' ? segment.key : segment
    if (typeof name === 'symbol' || !isPlainName(String(name))) break
    pointer += `/${encodeURIComponent(String(name).replaceAll('~', '~0').replaceAll('/', '~1'))}`
  }
  return pointer
}
