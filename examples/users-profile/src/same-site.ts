import { Forbidden } from '@scale/errors'
import type { RequestHandler } from 'express'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Refuses what another site's page makes a browser send here (cross-site request forgery): it would carry the visitor's
 * session cookie. `SameSite=Lax` stops most of it; this stops what comes from a sibling subdomain, and a login as somebody else.
 *
 * Browsers say where a request comes from: by `Sec-Fetch-Site`, and those of before 2023 by `Origin`. What is no browser says
 * neither, and has no cookie that it was not given.
 *
 * @see https://www.w3.org/TR/fetch-metadata/ · RFC 6454 §7
 */
export function sameSite(): RequestHandler {
  return function sameSite(req, _res, next) {
    const site = req.headers['sec-fetch-site']
    const { origin } = req.headers
    const isOurs =
      site === undefined
        ? origin === undefined || originHost(origin) === req.host
        : site === 'same-origin' || site === 'none'
    if (isOurs || SAFE.has(req.method)) next()
    else next(new Forbidden('Requests from other sites are refused.'))
  }
}

/** `null` is the origin of a sandboxed page, a file or a redirect: nobody's. */
function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
