import type { IncomingMessage, ServerResponse } from 'node:http'
import { contract, type MiddlewareContract, type Next } from '@scale/core'
import { SessionMisuse } from '../errors.js'
import type { Session, SessionData } from '../session.js'
import { RequestSession } from './request-session.js'

/** A session of which it is known that somebody is logged in. */
export type LoggedInSession<Data extends object = SessionData> = Session<Data> & {
  readonly id: string
  readonly userId: string
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly authenticatedAt: number
  readonly expiresAt: number
}

/**
 * The session of a request in which somebody must be logged in; its `userId` is a string.
 *
 * @throws {SessionRequired} nobody is: 401, with the challenge of the bearer transport if there is one
 * @throws the store's error (503), if it could not be asked whether somebody is
 * @throws {SessionMisuse} `session()` has not run before
 */
export function loggedIn(req: IncomingMessage): LoggedInSession {
  const session = RequestSession.of(req)
  if (session === undefined) {
    throw new SessionMisuse('There is no `req.session`: put the middleware of `session()` before this.')
  }
  session.requireUser()
  return (req as { session?: unknown }).session as LoggedInSession
}

/** The middleware that `requireSession` returns. */
export interface SessionGuard {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /** How it refuses. */
  readonly [contract]: MiddlewareContract
}

/** Lets a request pass only if somebody is logged in; fails as {@link loggedIn} does. Comes after `session()`. */
export function requireSession(): SessionGuard {
  function requireSession(req: IncomingMessage, _res: ServerResponse, next: Next): void {
    try {
      loggedIn(req)
    } catch (error) {
      next(error)
      return
    }
    next()
  }
  return Object.assign(requireSession, { [contract]: promised })
}

const promised: MiddlewareContract = { problems: [{ status: 401, code: 'ERR_SCALE_SESSION_REQUIRED' }] }
