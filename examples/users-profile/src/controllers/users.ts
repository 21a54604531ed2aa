import { NotFound } from '@scale/errors'
import { loggedIn } from '@scale/session'
import type { RequestHandler } from 'express'
import type { Accounts } from '../services/accounts.js'
import type { Profiles } from '../services/profiles.js'
import { newUser, userId } from '../validators.js'
import { isForm } from './form.js'
import { sendProfile } from './profile.js'

/** `POST /v1/users` */
export function register(accounts: Accounts): RequestHandler {
  return async function register(req, res) {
    const { id, name, email, createdAt } = await accounts.register(newUser.valid(req).body)
    if (isForm(req)) res.redirect(303, '/')
    else
      res
        .status(201)
        .location(`/v1/users/${id}`)
        .json({ id, name, email, createdAt: createdAt.toISOString() })
  }
}

/** `GET /v1/users/:id`: oneself; of others nobody learns whether they are there. */
export function readUser(profiles: Profiles): RequestHandler {
  return async function readUser(req, res) {
    const { id } = userId.valid(req).params
    if (id !== loggedIn(req).userId) throw new NotFound('You can read nobody but yourself.')
    sendProfile(res, await profiles.read(id))
  }
}
