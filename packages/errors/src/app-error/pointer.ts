import { elementsOf, property } from '../property.js'

const MAX_SEGMENTS = 64

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
