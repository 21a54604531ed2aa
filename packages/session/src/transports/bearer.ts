import { resolveOptions, string } from '@scale/core'
import type { Transport } from './transport.js'

/** Options of `bearer`. */
export interface BearerOptions {
  /** Named in the challenge of a 401; printable ASCII without quotes and backslashes. Default none */
  realm?: string
}

/**
 * The token in `Authorization: Bearer …`, for clients that are not browsers. `login()` returns it; the app sends it in
 * a body of its own. Nothing else is read: neither the query string nor a form.
 *
 * @see RFC 6750 §2.1, §3
 */
export function bearer(options?: BearerOptions): Transport {
  const { realm } = resolveOptions('bearer', options, { checks: { realm: realmText }, defaults: {} })
  const parameters = realm === undefined ? [] : [`realm="${realm}"`]
  return {
    read: ({ authorization }) => {
      if (authorization === undefined || !/^bearer(?: |$)/i.test(authorization)) return []
      return [authorization.slice(7).trim()]
    },
    security: { scheme: 'bearer' },
    challenge: (refused) => {
      const all = refused ? [...parameters, 'error="invalid_token"'] : parameters
      return all.length === 0 ? 'Bearer' : `Bearer ${all.join(', ')}`
    },
  }
}

function realmText(value: unknown): string | undefined {
  const isPlain =
    string(1, 128)(value) === undefined && /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(value as string)
  return isPlain ? undefined : '1 to 128 printable ASCII characters without quotes and backslashes'
}
