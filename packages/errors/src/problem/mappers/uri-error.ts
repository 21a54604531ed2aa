import { property } from '../../property.js'
import type { Mapped } from '../mapped.js'

/** The router cannot decode a parameter of the path, as in `/users/%E0%A4%A`. A `URIError` of the app has no status. */
export function mapUriError(thrown: unknown): Mapped | undefined {
  if (property(thrown, 'name') !== 'URIError' || property(thrown, 'status') !== 400) return undefined
  return {
    status: 400,
    code: 'ERR_SCALE_URL_MALFORMED',
    detail: 'The address has a percent-encoding that cannot be decoded.',
  }
}
