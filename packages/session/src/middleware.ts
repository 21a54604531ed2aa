import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { contract, type MiddlewareContract, type Next, prefetch, requestSlot } from '@scale/core'
import { SessionMisuse } from './errors.js'
import { lookedAt, takeOver, tokenOf } from './migration/take-over.js'
import { resolveSessionOptions, type SessionConfig, type SessionOptions } from './options.js'
import { Exchange } from './request/exchange.js'
import { reportFailure } from './request/failures.js'
import { type Opening, open, openToken } from './request/opening.js'
import { RequestSession } from './request/request-session.js'
import type { Session, SessionData } from './session.js'
import { type UserSessions, userSessions } from './user-sessions.js'

/** The middleware, and what can be done with sessions outside a request. */
export interface Sessions<Data extends object = SessionData> {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /** Starts to read the session of a request. Called by `compose`. */
  [prefetch](req: IncomingMessage): void
  /** How a request may say which session is its own. */
  readonly [contract]: MiddlewareContract
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
    [contract]: contractOf(config),
    [prefetch]: (req: IncomingMessage) => {
      if (!isOpenedBy(config, req) && begun.get(req) === undefined) begun.set(req, open(config, req.headers))
    },
    get: (req: IncomingMessage) => {
      if (RequestSession.of(req) !== undefined) return (req as { session?: unknown }).session as Session<Data>
      throw new SessionMisuse('get: this request has no session yet; put the middleware before.')
    },
    load: async (headers: IncomingHttpHeaders) => {
      const opening = await lookedUp(config, await open(config, headers))
      if (opening.kind === 'failed' && config.onStoreError === 'reject') throw opening.error
      const one = configFor(config, opening)
      const exchange = new Exchange(one.transports)
      return exchange.attach(new RequestSession(one, exchange, opening)) as unknown as Session<Data>
    },
    of: (user: string | Pick<Session, 'id' | 'userId'>) => {
      const { userId, id } = typeof user === 'string' ? { userId: user, id: undefined } : user
      if (userId === undefined) throw new SessionMisuse('of: this session has no user.')
      return userSessions(config, userId, id)
    },
  })
}

function contractOf({ transports, onStoreError }: SessionConfig): MiddlewareContract {
  return {
    security: transports.flatMap(({ security }) => (security ? [{ ...security, optional: true }] : [])),
    problems: onStoreError === 'reject' ? [{ status: 503, code: 'ERR_SCALE_REDIS_UNAVAILABLE' }] : [],
  }
}

/** A second middleware of the same options has nothing left to do. */
function isOpenedBy(config: SessionConfig, req: IncomingMessage): boolean {
  return RequestSession.of(req)?.isOf(config) === true
}

type Found = Exclude<Opening, { kind: 'old' }>

/** Gives the request its session, and goes on. */
function enter(
  config: SessionConfig,
  req: IncomingMessage,
  res: ServerResponse,
  next: Next,
  opening: Opening,
): void {
  // What engine.io passes for a WebSocket handshake only looks like a response: no headers are ever sent by it.
  const answer = typeof res.headersSent === 'boolean' ? res : undefined
  if (opening.kind === 'old') {
    const found = answer === undefined ? lookedUp(config, opening) : takenOver(config, opening)
    found.then((opening) => enter(config, req, res, next, opening))
    return
  }
  if (opening.kind === 'failed' && config.onStoreError === 'reject') {
    next(opening.error)
    return
  }
  const one = configFor(config, opening)
  const exchange = new Exchange(one.transports, req, answer, next)
  exchange.attach(new RequestSession(one, exchange, opening))
  next()
}

/** While sessions are shared with another package, all are, except for those that were taken over already. */
function configFor(config: SessionConfig, opening: Found): SessionConfig {
  const isOwn = opening.kind === 'opened' && opening.via !== config.shared?.transports[0]
  return isOwn ? config : (config.shared ?? config)
}

/** A session of another package becomes one of ours, where its cookie can be sent. */
async function takenOver(config: SessionConfig, opening: Extract<Opening, { kind: 'old' }>): Promise<Found> {
  try {
    const token = await takeOver(config, opening)
    if (token === undefined) return { kind: 'refused', isDead: false, via: [] }
    const via = config.transports.find(({ issue }) => issue !== undefined)!
    const opened = (await openToken(config, { token, via })) as Found
    return opened.kind === 'opened' ? { ...opened, isMigrated: true } : opened
  } catch (error) {
    reportFailure('load', error)
    return { kind: 'failed', error }
  }
}

/** Where no cookie can be sent, a session of another package is only looked at. */
async function lookedUp(config: SessionConfig, opening: Opening): Promise<Found> {
  if (opening.kind !== 'old') return opening
  const { key, old } = opening
  if (!('movedTo' in old)) return lookedAt(config, opening, old)
  return (await openToken(
    config,
    { token: tokenOf(key, old.movedTo), via: { read: () => [] } },
    null,
  )) as Found
}
