import { compose } from '@scale/core'
import { methodNotAllowed } from '@scale/errors'
import { requireSession } from '@scale/session'
import { type RequestHandler, Router } from 'express'
import { readProfile, renameProfile } from './controllers/profile.js'
import { endSession, listSessions, login, logout, logoutAll } from './controllers/sessions.js'
import { register } from './controllers/users.js'
import type { Guards } from './guards.js'
import type { Accounts } from './services/accounts.js'
import type { Profiles } from './services/profiles.js'
import { credentials, newUser, rename, sessionId } from './validators.js'

/** What the routes call. */
export interface Services {
  accounts: Accounts
  profiles: Profiles
}

/** Every route of the API, below `/v1`. */
export function routes(
  { accounts, profiles }: Services,
  { sessions, profileQuota, loginQuota }: Guards,
): Router {
  const router = Router()
  /** Session and quota are fetched together, in one round trip. */
  const signedIn: RequestHandler = compose(sessions, requireSession())

  router.route('/users').post(newUser, register(accounts)).all(methodNotAllowed())
  router.route('/login').post(credentials, loginQuota, sessions, login(accounts)).all(methodNotAllowed())
  router.route('/logout').post(signedIn, logout).all(methodNotAllowed())
  router.route('/logout-all').post(signedIn, logoutAll(sessions)).all(methodNotAllowed())
  router.route('/sessions').get(signedIn, listSessions(sessions)).all(methodNotAllowed())
  router.route('/sessions/:id').delete(signedIn, sessionId, endSession(sessions)).all(methodNotAllowed())
  router
    .route('/profile')
    .get(compose(sessions, requireSession(), profileQuota), readProfile(profiles))
    .patch(signedIn, rename, renameProfile(profiles))
    .all(methodNotAllowed())
  return router
}
