import type { RequestHandler } from 'express'
import type { Accounts } from '../services/accounts.js'
import type { OidcLogin, PendingLogins } from '../services/oidc-login.js'
import { beginLogin } from '../validators.js'

declare module '@scale/session' {
  interface SessionData {
    /** Logins that were begun at the provider in this browser. */
    logins?: PendingLogins
  }
}

/** `GET /v1/login/methods`: which buttons a page has to show. */
export function listLoginMethods(oidc: OidcLogin | undefined): RequestHandler {
  return function listLoginMethods(_req, res) {
    res.json({ password: true, oidc: oidc !== undefined })
  }
}

/** `GET /v1/login/oidc`: sends a browser to the provider. */
export function beginOidcLogin(oidc: OidcLogin): RequestHandler {
  return async function beginOidcLogin(req, res) {
    const { returnTo } = beginLogin.valid(req).query
    const { url, pending } = await oidc.begin(req.session.data.logins ?? {}, returnTo, Date.now())
    req.session.data.logins = pending
    // Awaited: the callback may come to another copy.
    await req.session.save()
    res.setHeader('Cache-Control', 'no-store')
    res.redirect(303, url)
  }
}

/** `GET /v1/login/oidc/callback`: where the provider sends it back to. */
export function finishOidcLogin(oidc: OidcLogin, accounts: Accounts): RequestHandler {
  return async function finishOidcLogin(req, res) {
    const { session } = req
    const answer = new URLSearchParams(req.originalUrl.split('?')[1])
    const { login, pending } = oidc.take(session.data.logins ?? {}, answer, Date.now())
    session.data.logins = pending
    await session.save()
    const { identity, describe, returnTo } = await oidc.finish(login)
    const { id } = await accounts.enter(identity, describe)
    // What was collected before the login goes over, but never from one user to another.
    await session.login(id, { keepData: session.userId === undefined || session.userId === id })
    res.setHeader('Cache-Control', 'no-store')
    res.redirect(303, returnTo)
  }
}
