import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { type Next, prefetch, requestSlot } from '@scale/core'
import { SessionMisuse } from './errors.js'
import { Exchange } from './exchange.js'
import { type Opening, open } from './opening.js'
import { resolveSessionOptions, type SessionConfig, type SessionOptions } from './options.js'
import { RequestSession } from './request-session.js'
import type { Session, SessionData } from './session.js'
import { type UserSessions, userSessions } from './user-sessions.js'

/** The middleware, and what can be done with sessions outside a request. */
export interface Sessions<Data extends object = SessionData> {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /** Starts to read the session of a request. Called by `compose`. */
  [prefetch](req: IncomingMessage): void
  /** `req.session`, typed by the schema. @throws {SessionMisuse} this middleware has not run */
  get(req: IncomingMessage): Session<Data>
  /**
   * The session that headers belong to, where nothing is answered: a WebSocket upgrade, a job. It can be read, saved
   * and destroyed; a new token is only returned.
   *
   * @param headers  of the request, as Node parsed them
   * @throws the store's error
   */
  load(headers: IncomingHttpHeaders): Promise<Session<Data>>
  /**
   * All sessions of a user.
   *
   * @param user  the user id, or a session of the user, which then counts as the current one
   */
  of(user: string | Pick<Session, 'id' | 'userId'>): UserSessions
}

/**
 * Sessions: `req.session` for every request, stored in Redis as soon as there is something to store.
 *
 * @throws {InvalidOption} an option is wrong
 * @throws {MemoryStoreRefused} there is no `redis`, and more than one process is likely
 */
export function session<Data extends object = SessionData>(options?: SessionOptions<Data>): Sessions<Data> {
  const config = resolveSessionOptions(options)
  /** Where `prefetch` leaves what it began. */
  const begun = requestSlot<Opening | Promise<Opening>>('session begun')

  function session(req: IncomingMessage, res: ServerResponse, next: Next): void {
    if (isOpenedBy(config, req)) {
      next()
      return
    }
    const opening = begun.get(req) ?? open(config, req.headers)
    if (opening instanceof Promise) opening.then((opened) => enter(config, req, res, next, opened))
    else enter(config, req, res, next, opening)
  }

  return Object.assign(session, {
    [prefetch]: (req: IncomingMessage) => {
      if (!isOpenedBy(config, req) && begun.get(req) === undefined) begun.set(req, open(config, req.headers))
    },
    get: (req: IncomingMessage) => {
      const { session } = req as { session?: unknown }
      if (session instanceof RequestSession) return session as unknown as Session<Data>
      throw new SessionMisuse('get: this request has no session yet; put the middleware before.')
    },
    load: async (headers: IncomingHttpHeaders) => {
      const opening = await open(config, headers)
      if (opening.kind === 'failed' && config.onStoreError === 'reject') throw opening.error
      const exchange = new Exchange(config.transports, undefined, undefined)
      return new RequestSession(config, exchange, opening) as unknown as Session<Data>
    },
    of: (user: string | Pick<Session, 'id' | 'userId'>) => {
      const { userId, id } = typeof user === 'string' ? { userId: user, id: undefined } : user
      if (userId === undefined) throw new SessionMisuse('of: this session has no user.')
      return userSessions(config, userId, id)
    },
  })
}

/** A second middleware of the same options has nothing left to do. */
function isOpenedBy(config: SessionConfig, req: IncomingMessage): boolean {
  const { session } = req as { session?: unknown }
  return session instanceof RequestSession && session.isOf(config)
}

/** Gives the request its session, and goes on. */
function enter(
  config: SessionConfig,
  req: IncomingMessage,
  res: ServerResponse,
  next: Next,
  opening: Opening,
): void {
  if (opening.kind === 'failed' && config.onStoreError === 'reject') {
    next(opening.error)
    return
  }
  const exchange = new Exchange(config.transports, req, res)
  const session = new RequestSession(config, exchange, opening)
  exchange.attach(session)
  const renewing = session.renewIfDue()
  if (renewing === undefined) next()
  else renewing.then(() => next())
}
