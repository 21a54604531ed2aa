import type { IncomingMessage } from 'node:http'

/** What a request's `Authorization` header holds. */
export type Credentials = { readonly token: string } | 'none' | 'malformed'

/** RFC 6750 §2.1 `b64token`. */
const BEARER = /^bearer +([\w.~+/-]+=*) *$/i

/**
 * The bearer token of a request: from the header and nowhere else. A token in a query string ends up in logs and
 * histories (RFC 9700 §4.3.2), so neither that nor a form is read. Another scheme is no bearer token at all.
 */
export function credentialsOf(req: IncomingMessage): Credentials {
  const { authorization } = req.headers
  if (authorization === undefined) return 'none'
  if (hasTwo(req.rawHeaders)) return 'malformed'
  if (!/^bearer(?: |$)/i.test(authorization)) return 'none'
  const token = BEARER.exec(authorization)?.[1]
  return token === undefined ? 'malformed' : { token }
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
