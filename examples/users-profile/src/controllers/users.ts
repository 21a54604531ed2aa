import type { RequestHandler } from 'express'
import type { Accounts } from '../services/accounts.js'
import { newUser } from '../validators.js'

/** `POST /v1/users` */
export function register(accounts: Accounts): RequestHandler {
  return async function register(req, res) {
    const { id, name, email, createdAt } = await accounts.register(newUser.valid(req).body)
    res.status(201).location(`/v1/users/${id}`).json({ id, name, email, createdAt: createdAt.toISOString() })
  }
}
