import type { Request } from 'express'

/**
 * What the schema of the cookies is given: what a cookie parser left on the request, else the `Cookie` header
 * (RFC 6265 §4.2.1). The first of two cookies with one name wins, as it has the more specific path.
 */
export function readCookies(req: Request): unknown {
  return req.cookies ?? parseCookies(req.headers.cookie ?? '')
}

function parseCookies(header: string): Record<string, string> {
  const cookies: Record<string, string> = Object.create(null)
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals === -1) continue
    const name = pair.slice(0, equals).trim()
    if (name === '' || name === '__proto__' || name in cookies) continue
    cookies[name] = decode(pair.slice(equals + 1).trim())
  }
  return cookies
}

function decode(value: string): string {
  const bare = value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
  if (!bare.includes('%')) return bare
  try {
    return decodeURIComponent(bare)
  } catch {
    return bare
  }
}
