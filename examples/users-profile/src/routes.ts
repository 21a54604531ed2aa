import type { Cache } from '@scale/cache'
import { compose } from '@scale/core'
import { methodNotAllowed } from '@scale/errors'
import { requireSession } from '@scale/session'
import type { ThreadPool } from '@scale/workers'
import { type RequestHandler, Router, urlencoded } from 'express'
import { readCatalogue } from './controllers/catalogue.js'
import { beginOidcLogin, finishOidcLogin, listLoginMethods } from './controllers/oidc.js'
import { showOutbox } from './controllers/outbox.js'
import { askForReset, changePassword, confirmEmail, resetPassword } from './controllers/passwords.js'
import { exportProfile, readProfile, renameProfile } from './controllers/profile.js'
import { endSession, listSessions, login, logout, logoutAll } from './controllers/sessions.js'
import { issueTokens, readMe, refreshTokens } from './controllers/tokens.js'
import { readUser, register } from './controllers/users.js'
import type { Guards } from './guards.js'
import type { CatalogueRepository } from './repositories/catalogue.js'
import type { MailsRepository } from './repositories/mails.js'
import type { Accounts } from './services/accounts.js'
import type { OidcLogin } from './services/oidc-login.js'
import type { Profiles } from './services/profiles.js'
import type { Tokens } from './services/tokens.js'
import {
  askReset,
  beginLogin,
  cataloguePage,
  confirmReset,
  credentials,
  newPassword,
  newUser,
  refreshToken,
  rename,
  sessionId,
  userId,
  verifyEmail,
} from './validators.js'

/** What the routes call. */
export interface Services {
  accounts: Accounts
  profiles: Profiles
  catalogue: CatalogueRepository
  cache: Cache
  /** Threads that make documents. */
  documents: ThreadPool<typeof import('./threads/document.js')>
  tokens: Tokens
  /** `undefined`: mail is sent, and nobody's to see. */
  outbox: MailsRepository | undefined
  /** `undefined`: there is no login through a provider. */
  oidc: OidcLogin | undefined
}

/** Every route of the API, below `/v1`. */
export function routes(
  { accounts, profiles, catalogue, cache, documents, tokens, oidc, outbox }: Services,
  guards: Guards,
): Router {
  const router = Router()
  const { sessions, strictSessions, profileQuota, loginQuota, registrationQuota, beginQuota } = guards
  const { passwordQuota, resetQuota, linkQuota } = guards
  const signedIn: RequestHandler = compose(sessions, requireSession())
  const profileReads: RequestHandler = compose(sessions, requireSession(), profileQuota)

  // A browser without script sends the form itself.
  router.use(
    ['/users', '/login', '/logout', '/password/reset'],
    urlencoded({ extended: false, limit: '10kb' }),
  )
  router.route('/users').post(newUser, registrationQuota, register(accounts)).all(methodNotAllowed())
  router.route('/users/:id').get(userId, profileReads, readUser(profiles)).all(methodNotAllowed())
  router.route('/login').post(credentials, loginQuota, sessions, login(accounts)).all(methodNotAllowed())
  router.route('/login/methods').get(listLoginMethods(oidc)).all(methodNotAllowed())
  if (oidc !== undefined) {
    router
      .route('/login/oidc')
      .get(beginLogin, beginQuota, sessions, beginOidcLogin(oidc))
      .all(methodNotAllowed())
    router
      .route('/login/oidc/callback')
      .get(strictSessions, finishOidcLogin(oidc, accounts))
      .all(methodNotAllowed())
  }
  router.route('/logout').post(signedIn, logout).all(methodNotAllowed())
  router.route('/logout-all').post(signedIn, logoutAll(sessions, tokens)).all(methodNotAllowed())
  // The same quota as a login: a guess is a guess.
  router.route('/token').post(credentials, loginQuota, issueTokens(accounts, tokens)).all(methodNotAllowed())
  router.route('/token/refresh').post(refreshToken, refreshTokens(tokens)).all(methodNotAllowed())
  router.route('/me').get(compose(tokens.required), readMe(tokens)).all(methodNotAllowed())
  router
    .route('/password')
    .post(signedIn, newPassword, passwordQuota, changePassword(accounts, sessions, tokens))
    .all(methodNotAllowed())
  router.route('/password/reset').post(askReset, resetQuota, askForReset(accounts)).all(methodNotAllowed())
  router
    .route('/password/reset/confirm')
    .post(confirmReset, linkQuota, resetPassword(accounts, sessions, tokens))
    .all(methodNotAllowed())
  router.route('/email/verify').post(verifyEmail, linkQuota, confirmEmail(accounts)).all(methodNotAllowed())
  if (outbox !== undefined) router.route('/outbox').get(showOutbox(outbox)).all(methodNotAllowed())
  router.route('/sessions').get(signedIn, listSessions(sessions)).all(methodNotAllowed())
  router.route('/sessions/:id').delete(signedIn, sessionId, endSession(sessions)).all(methodNotAllowed())
  router
    .route('/profile')
    .get(profileReads, readProfile(profiles))
    .patch(signedIn, rename, renameProfile(profiles))
    .all(methodNotAllowed())
  router
    .route('/profile/export')
    .get(profileReads, exportProfile(profiles, documents))
    .all(methodNotAllowed())
  router
    .route('/catalogue')
    // The same for everybody: the session cookie of a browser makes no difference, and of the query the page alone.
    .get(
      cache.http({
        ttlMs: 60_000,
        cookies: 'ignore',
        query: ['after', 'limit'],
        cacheName: 'users-profile',
      }),
      // Behind the cache: of what stands before it, it cannot know what it depends on.
      cataloguePage,
      readCatalogue(catalogue),
    )
    .all(methodNotAllowed())
  return router
}
