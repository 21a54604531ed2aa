import type { SchemaIssue } from '@scale/core'

/** The top-level keys that issues are about. */
export function keysOf(issues: readonly SchemaIssue[]): string[] {
  const keys = issues.map(({ path }) => {
    const first = path?.[0]
    return first === undefined ? '' : String(typeof first === 'object' ? first.key : first)
  })
  return [...new Set(keys)].filter((key) => key !== '')
}
