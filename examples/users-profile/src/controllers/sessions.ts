import { NotFound } from '@scale/errors'
import { loggedIn, type SessionInfo, type Sessions } from '@scale/session'
import type { RequestHandler } from 'express'
import type { Accounts } from '../services/accounts.js'
import type { Tokens } from '../services/tokens.js'
import { credentials, sessionId } from '../validators.js'
import { isForm } from './form.js'

/** `POST /v1/login` */
export function login(accounts: Accounts): RequestHandler {
  return async function login(req, res) {
    const { id, name, email } = await accounts.authenticate(credentials.valid(req).body)
    const { token, expiresAt } = await req.session.login(id)
    if (isForm(req)) res.redirect(303, '/')
    else res.json({ token, expiresAt: new Date(expiresAt).toISOString(), user: { id, name, email } })
  }
}

/** `POST /v1/logout` */
export const logout: RequestHandler = async function logout(req, res) {
  await req.session.destroy()
  if (isForm(req)) res.redirect(303, '/')
  else res.status(204).end()
}

/** `POST /v1/logout-all` */
export function logoutAll(sessions: Sessions, { issuer }: Tokens): RequestHandler {
  return async function logoutAll(req, res) {
    const { userId } = loggedIn(req)
    await Promise.all([sessions.of(userId).revokeAll(), issuer.of(userId).revokeAll()])
    await req.session.destroy()
    res.status(204).end()
  }
}

/** `GET /v1/sessions` */
export function listSessions(sessions: Sessions): RequestHandler {
  return async function listSessions(req, res) {
    const list = await sessions.of(loggedIn(req)).list()
    res.setHeader('Cache-Control', 'private, no-store')
    res.json({ sessions: list.map(shown) })
  }
}

/** `DELETE /v1/sessions/:id` */
export function endSession(sessions: Sessions): RequestHandler {
  return async function endSession(req, res) {
    const isEnded = await sessions.of(loggedIn(req)).revoke(sessionId.valid(req).params.id)
    if (!isEnded) throw new NotFound('You have no such session.')
    res.status(204).end()
  }
}

function shown({ id, createdAt, lastSeenAt, address, agent, current }: SessionInfo): object {
  return {
    id,
    createdAt: new Date(createdAt).toISOString(),
    lastSeenAt: new Date(lastSeenAt).toISOString(),
    address: address ?? null,
    agent: agent ?? null,
    current,
  }
}
