/** Objects below this depth are not joined any more: what a client nests must not cost the square of its size. */
export const MERGE_DEPTH = 32

/**
 * Joins two changes of one JSON value that were made apart.
 *
 * A side that did not change gives way. Objects are joined member by member, down to a depth of 32. Where both changed the
 * same member, and for arrays, which have no names to join by, ours wins: it is the later write.
 *
 * @param base    what both started from; `undefined` if it was not there
 * @param ours    `undefined` if we removed it
 * @param theirs  `undefined` if they removed it
 */
export function merge(base: unknown, ours: unknown, theirs: unknown, depth = 1): unknown {
  if (isSame(ours, base)) return theirs
  if (isSame(theirs, base)) return ours
  if (!isObject(ours) || !isObject(theirs) || depth === MERGE_DEPTH) return ours
  const from = isObject(base) ? base : {}
  const merged: Record<string, unknown> = {}
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
    const value = merge(own(from, name), own(ours, name), own(theirs, name), depth + 1)
    if (value !== undefined) setOwn(merged, name, value)
  }
  return merged
}

/** The same on JSON; `undefined` is absent. Its twin for Redis is in stores/lua/merge.lua.ts. */
export function mergeTexts(
  base: string | undefined,
  ours: string | undefined,
  theirs: string | undefined,
): string | undefined {
  const [from, left, right] = [base, ours, theirs].map((text) =>
    text === undefined ? undefined : JSON.parse(text),
  )
  return JSON.stringify(merge(from, left, right)) as string | undefined
}

/** Sets a property, also one named `__proto__`, without running a setter. */
export function setOwn(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true })
}

function own(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Both come from JSON, so equal text is equal value; members in another order count as a change. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
