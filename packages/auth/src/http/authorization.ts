import type { IncomingMessage } from 'node:http'
import type { Scheme } from './challenge.js'

/** What a request's `Authorization` header holds. */
export type Credentials = { readonly token: string; readonly scheme: Scheme } | 'none' | 'malformed'

/** RFC 6750 §2.1 `b64token`, which is RFC 9110 §11.2 `token68`. */
const TOKEN = /^(?:bearer|dpop) +([\w.~+/-]+=*) *$/i
const SCHEME = /^(?:bearer|dpop)(?= |$)/i

/**
 * The access token of a request: from the header and nowhere else. A token in a query string ends up in logs and
 * histories (RFC 9700 §4.3.2), so neither that nor a form is read. Another scheme is no access token at all.
 *
 * @param takesDpop  whether `DPoP` is a scheme that is known here
 */
export function credentialsOf(req: IncomingMessage, takesDpop: boolean): Credentials {
  const { authorization } = req.headers
  if (authorization === undefined) return 'none'
  if (hasTwo(req.rawHeaders)) return 'malformed'
  const scheme = SCHEME.exec(authorization)?.[0].toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer'
  if (!SCHEME.test(authorization) || (scheme === 'DPoP' && !takesDpop)) return 'none'
  const token = TOKEN.exec(authorization)?.[1]
  return token === undefined ? 'malformed' : { token, scheme }
}

/** Node keeps the first of several and drops the others silently: a proxy before us may have read another one. */
function hasTwo(rawHeaders: readonly string[] | undefined): boolean {
  let count = 0
  for (let i = 0; i < (rawHeaders?.length ?? 0); i += 2) {
    const name = rawHeaders![i]!
    if (name.length === 13 && name.toLowerCase() === 'authorization') count++
  }
  return count > 1
}
