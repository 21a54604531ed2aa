import { loggedIn, type Sessions } from '@scale/session'
import type { RequestHandler } from 'express'
import type { Accounts } from '../services/accounts.js'
import type { Tokens } from '../services/tokens.js'
import { askReset, confirmReset, newPassword, verifyEmail } from '../validators.js'
import { isForm } from './form.js'

/** `POST /v1/password`: whoever else is logged in with the old one is logged out. */
export function changePassword(accounts: Accounts, sessions: Sessions, { issuer }: Tokens): RequestHandler {
  return async function changePassword(req, res) {
    const { userId } = loggedIn(req)
    const { current, next } = newPassword.valid(req).body
    await accounts.changePassword(userId, current, next)
    await Promise.all([sessions.of(loggedIn(req)).revokeOthers(), issuer.of(userId).revokeAll()])
    res.status(204).end()
  }
}

/** `POST /v1/password/reset` */
export function askForReset(accounts: Accounts): RequestHandler {
  return async function askForReset(req, res) {
    await accounts.askReset(askReset.valid(req).body.email)
    if (isForm(req)) res.redirect(303, '/')
    else res.status(204).end()
  }
}

/** `POST /v1/password/reset/confirm` */
export function resetPassword(accounts: Accounts, sessions: Sessions, { issuer }: Tokens): RequestHandler {
  return async function resetPassword(req, res) {
    const { token, next } = confirmReset.valid(req).body
    const userId = await accounts.resetPassword(token, next)
    await Promise.all([sessions.of(userId).revokeAll(), issuer.of(userId).revokeAll()])
    res.status(204).end()
  }
}

/** `POST /v1/email/verify` */
export function confirmEmail(accounts: Accounts): RequestHandler {
  return async function confirmEmail(req, res) {
    await accounts.verifyEmail(verifyEmail.valid(req).body.token)
    res.status(204).end()
  }
}
