import { SessionConflict, SessionEnded } from '@scale/session'
import type { RequestHandler } from 'express'
import type { Accounts } from '../services/accounts.js'
import { type OidcLogin, type PendingLogins, unknownLogin } from '../services/oidc-login.js'
import { beginLogin } from '../validators.js'

declare module '@scale/session' {
  /** Logins that were begun at the provider in this browser. */
  interface SessionData extends PendingLogins {}
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
    const url = await oidc.begin(req.session.data, returnTo, Date.now())
    // Awaited: the callback may come to another copy.
    await req.session.save()
    res.setHeader('Cache-Control', 'no-store')
    res.redirect(303, url)
  }
}

/**
 * `GET /v1/login/oidc/callback`: where the provider sends it back to.
 *
 * Needs sessions whose conflicts fail: when the same answer comes to two copies at once, both see the login pending, and
 * the session lets only one of them take it.
 */
export function finishOidcLogin(oidc: OidcLogin, accounts: Accounts): RequestHandler {
  return async function finishOidcLogin(req, res) {
    const { session } = req
    const answer = new URLSearchParams(req.originalUrl.split('?')[1])
    const login = oidc.take(session.data, answer, Date.now())
    await session.save().catch(refuseSecond)
    const { identity, describe, returnTo } = await oidc.finish(login)
    const { id } = await accounts.enter(identity, describe)
    // What was collected before the login goes over, but never from one user to another.
    await session.login(id, { keepData: session.userId === undefined || session.userId === id })
    res.setHeader('Cache-Control', 'no-store')
    res.redirect(303, returnTo)
  }
}

/** Another request has taken the login, and may have ended the session with it already. */
function refuseSecond(error: unknown): never {
  throw error instanceof SessionConflict || error instanceof SessionEnded ? unknownLogin(error) : error
}
