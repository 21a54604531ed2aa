import { isError, property } from '../../property.js'
import type { Mapped } from '../mapped.js'

const SEGMENTS = new Set<unknown>(['body', 'cookies', 'headers', 'params', 'query', 'signedCookies'])

/**
 * A `CelebrateError`: a part of the request does not fit its schema. joi's own error, thrown by hand, is another one: it
 * may be of any data. Its messages quote what came.
 */
export function mapCelebrate(thrown: unknown): Mapped | undefined {
  const isOne = isError(thrown) && areSegments(property(thrown, 'details'))
  return isOne ? { status: 400, detail: 'The request is not valid.' } : undefined
}

function areSegments(details: unknown): boolean {
  try {
    return details instanceof Map && details.size > 0 && [...details.keys()].every((key) => SEGMENTS.has(key))
  } catch {
    return false
  }
}
