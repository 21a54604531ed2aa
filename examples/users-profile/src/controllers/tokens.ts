import type { TokenResponse } from '@scale/auth'
import { clientAddress } from '@scale/core'
import type { RequestHandler, Response } from 'express'
import type { Accounts } from '../services/accounts.js'
import type { Tokens } from '../services/tokens.js'
import { credentials, refreshToken } from '../validators.js'

/** `POST /v1/token` */
export function issueTokens(accounts: Accounts, { issuer }: Tokens): RequestHandler {
  return async function issueTokens(req, res) {
    const { id } = await accounts.authenticate(credentials.valid(req).body)
    const agent = req.get('user-agent')
    const address = clientAddress(req)?.address
    const device = { ...(agent && { agent }), ...(address && { address }) }
    send(res, await issuer.issue({ userId: id, scope: ['profile'], device }))
  }
}

/** `POST /v1/token/refresh` */
export function refreshTokens({ issuer }: Tokens): RequestHandler {
  return async function refreshTokens(req, res) {
    send(res, await issuer.refresh(refreshToken.valid(req).body.refresh_token))
  }
}

/** `GET /v1/me` */
export function readMe({ required }: Tokens): RequestHandler {
  return function readMe(req, res) {
    const { claims, scopes } = required.get(req)
    res.setHeader('Cache-Control', 'private, no-store')
    const expiresAt = new Date(claims.exp * 1_000).toISOString()
    res.json({ id: claims.sub, clientId: claims.client_id, scopes: [...scopes], expiresAt })
  }
}

/** RFC 6749 §5.1: no cache may keep tokens. */
function send(res: Response, tokens: TokenResponse): void {
  res.setHeader('Cache-Control', 'no-store')
  res.json(tokens)
}
