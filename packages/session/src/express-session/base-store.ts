import { EventEmitter } from 'node:events'

/** A request as express-session sees it. */
export interface SessionRequest {
  sessionID: string
  session?: unknown
  sessionStore?: unknown
}

/** A session as express-session stores it. */
export type StoredSession = Record<string, unknown> & { cookie: StoredCookie }

/** The cookie's part of it. */
export interface StoredCookie {
  originalMaxAge?: number | null
  expires?: Date | string | null
  [name: string]: unknown
}

/** A session or a request as the app has declared it to express-session, whose types are not needed here. */
// biome-ignore lint/suspicious/noExplicitAny: it has to fit what only the app knows
export type Declared = any

type SessionClass = new (req: SessionRequest, data: StoredSession) => object

/**
 * What express-session expects of every store beside its storage. It is not inherited from there, so that nothing
 * has to be installed: what it needs is in the sessions that express-session itself generates.
 */
export abstract class BaseStore extends EventEmitter {
  /** Set by express-session: gives a request a new session. */
  declare generate: (req: SessionRequest) => void
  #parts: { Session: SessionClass; cookiePrototype: object } | undefined

  abstract get(sid: string, callback: (error: unknown, session?: Declared) => void): void
  abstract destroy(sid: string, callback?: (error?: unknown) => void): void

  /** Ends the session of a request and gives it a new one. */
  regenerate(req: Declared, callback: (error?: unknown) => void): void {
    this.destroy(req.sessionID, (error) => {
      this.generate(req)
      callback(error)
    })
  }

  /** Reads a session without a request. */
  load(sid: string, callback: (error?: unknown, session?: Declared) => void): void {
    this.get(sid, (error, session) => {
      if (error) callback(error)
      else if (!session) callback()
      else callback(null, this.createSession({ sessionID: sid, sessionStore: this }, session))
    })
  }

  /** Makes the session of a request from stored data. */
  createSession(req: Declared, stored: Declared): Declared {
    const { Session, cookiePrototype } = this.#partsFor(req)
    const { expires = null, originalMaxAge = null } = stored.cookie
    const cookie = Object.assign(Object.create(cookiePrototype) as StoredCookie, {
      ...stored.cookie,
      expires: typeof expires === 'string' ? new Date(expires) : expires,
    })
    // Setting `expires` has changed it.
    cookie.originalMaxAge = originalMaxAge
    const session = new Session(req, { ...stored, cookie })
    req.session = session
    return session
  }

  #partsFor(req: SessionRequest): { Session: SessionClass; cookiePrototype: object } {
    if (this.#parts === undefined) {
      const { sessionID, session } = req
      this.generate(req)
      const generated = req.session as { constructor: unknown; cookie: object }
      this.#parts = {
        Session: generated.constructor as SessionClass,
        cookiePrototype: Object.getPrototypeOf(generated.cookie),
      }
      req.sessionID = sessionID
      req.session = session
    }
    return this.#parts
  }
}
