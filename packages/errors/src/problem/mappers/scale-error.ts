import { hasProperty, property } from '../../property.js'
import type { Mapped } from '../mapped.js'

/**
 * `ScaleError` and `AppError`, also of another copy of their package: all six properties are there, if only as
 * `undefined`. An error of an HTTP client may have a `code` and a `status`, and is none.
 */
export function mapScaleError(thrown: unknown): Mapped | undefined {
  const code = property(thrown, 'code')
  if (typeof code !== 'string' || !['headers', 'type', 'title', 'extensions'].every(isThere)) return undefined
  return {
    status: property(thrown, 'status'),
    code,
    type: property(thrown, 'type'),
    title: property(thrown, 'title'),
    detail: property(thrown, 'message'),
    headers: property(thrown, 'headers'),
    extensions: property(thrown, 'extensions'),
  }

  function isThere(name: string): boolean {
    return hasProperty(thrown, name)
  }
}
