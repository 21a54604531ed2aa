/**
 * Reads a property of whatever was thrown. A getter or a Proxy that throws counts as if nothing were there.
 */
export function property(thrown: unknown, name: PropertyKey): unknown {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return undefined
  try {
    return (thrown as Record<PropertyKey, unknown>)[name]
  } catch {
    return undefined
  }
}

/** True if a property is there, whatever its value. */
export function hasProperty(thrown: unknown, name: PropertyKey): boolean {
  if (typeof thrown !== 'object' || thrown === null) return false
  try {
    return name in thrown
  } catch {
    return false
  }
}

/** The text of a property; `undefined` if it is empty or no string. */
export function textProperty(thrown: unknown, name: PropertyKey): string | undefined {
  const value = property(thrown, name)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Own enumerable entries, without those that cannot be read. */
export function entriesOf(value: unknown): [name: string, value: unknown][] {
  if (typeof value !== 'object' || value === null) return []
  try {
    return Object.keys(value).map((name) => [name, property(value, name)])
  } catch {
    return []
  }
}

/** The elements of an array, at most `limit`; `undefined` if it is none, or cannot be read. */
export function elementsOf(value: unknown, limit: number): unknown[] | undefined {
  try {
    if (!Array.isArray(value)) return undefined
    return Array.from({ length: Math.min(value.length, limit) }, (_, index) => property(value, index))
  } catch {
    return undefined
  }
}

/** `undefined` where there is none, or a Proxy does not tell. */
export function prototypeOf(thrown: unknown): unknown {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  try {
    return Object.getPrototypeOf(thrown)
  } catch {
    return undefined
  }
}

/** True for an `Error` of any realm. A Proxy may throw when it is asked for its prototype, a getter when it is asked for the message. */
export function isError(thrown: unknown): thrown is Error {
  try {
    const isOne = thrown instanceof Error || Object.prototype.toString.call(thrown) === '[object Error]'
    return isOne && typeof (thrown as Error).message === 'string'
  } catch {
    return false
  }
}
