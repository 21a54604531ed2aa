/**
 * What is in `req.session.data` when no schema says so. Declare it once for the whole app:
 *
 * ```ts
 * declare module '@scale/session' {
 *   interface SessionData { cart?: string[] }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is there to be added to
export interface SessionData {}

/** A token for the client, and when it ends. */
export interface IssuedToken {
  /** Send it to a client that has no cookie jar. With a cookie transport it is in the response already. */
  readonly token: string
  /** The absolute end of the session, by the store's clock, in epoch ms. */
  readonly expiresAt: number
}

/** Options of `login`. */
export interface LoginOptions {
  /** For this session only, in ms. Default: that of `session()` */
  idleTimeoutMs?: number
  /** For this session only, in ms: longer for "remember me". Default: that of `session()` */
  absoluteTimeoutMs?: number
  /** Whether its cookie outlives the browser: "remember me". Default: as `cookie()` says */
  persistent?: boolean
  /**
   * Whether the data of the session so far goes over into the new one. `anonymous`: if nobody was logged in, or the same
   * user; `true`: also from one user to another. Default `anonymous`
   */
  keepData?: 'anonymous' | boolean
}

/** `req.session.cookie`: what express-session has there, as far as it means something here. */
export interface SessionCookie {
  /**
   * How long the session lasts if nobody uses it again, in ms; null for a cookie that goes with the browser. Set it to
   * remember a login: the session lasts so long, and so does its cookie.
   */
  maxAge: number | null | undefined
  /** The same as an instant. */
  expires: Date | null | false | undefined
  /** What `maxAge` was set to. */
  readonly originalMaxAge: number | null
  readonly path?: string
  readonly domain?: string | undefined
  readonly httpOnly?: boolean
  readonly secure?: boolean
  readonly sameSite?: 'strict' | 'lax' | 'none'
  readonly partitioned?: boolean
}

/** Called when it is done, with the error if it failed. */
export type SessionCallback = (error?: unknown) => void

/**
 * The session of a request. There always is one: without a token, or with one that opens nothing, it is new and
 * anonymous, and nothing is stored before it has data, or a user.
 *
 * What changed in `data` is saved before the answer goes out. A save that fails is the answer: 409 for a conflict, 500
 * for data that cannot be stored, 503 without Redis.
 *
 * Every call may reject with the store's error (`RedisUnavailable`, 503), and with {@link SessionEnded} if the session
 * ended meanwhile.
 *
 * Properties that are not listed here are those of `data`: `req.session.cart` is `req.session.data.cart`, to read, set,
 * delete, look for and enumerate. Those that are listed and cannot be set throw.
 */
export interface Session<Data extends object = SessionData> {
  /** Public name, for lists and logs; the same for the session's whole life. `undefined` until it is stored. */
  readonly id: string | undefined
  /** Who logged in; `undefined` for an anonymous session. */
  readonly userId: string | undefined
  /** Any JSON. May be changed at any depth, or replaced. Read when it is first asked for. */
  data: Data
  /** True if it began in this request, or has not begun. */
  readonly isNew: boolean
  /** How long the login lasts. */
  readonly cookie: SessionCookie
  /** By the store's clock, in epoch ms; `undefined` until it is stored. */
  readonly createdAt: number | undefined
  /** Of the last use that was written down, by the store's clock, in epoch ms. */
  readonly lastSeenAt: number | undefined
  /** Of the login or the last `elevate()`, by the store's clock, in epoch ms. */
  readonly authenticatedAt: number | undefined
  /** The absolute end, by the store's clock, in epoch ms. */
  readonly expiresAt: number | undefined

  /**
   * Begins a session of a user, with a new id and a new token. The session so far ends at once; its data goes over if
   * `keepData` says so.
   *
   * @param userId  1–256 characters
   * @throws {TooManySessions} the user has too many, and `maxPerUser.evict` is `reject`
   * @throws {SessionMisuse} too late to send a cookie
   */
  login(userId: string, options?: LoginOptions): Promise<IssuedToken>
  /**
   * Replaces the token after a change of privilege, such as a second factor or the password asked for again. The old
   * one is dead at once, `authenticatedAt` is now.
   *
   * @throws {SessionRequired} nobody is logged in
   */
  elevate(): Promise<IssuedToken>
  /**
   * Replaces the token and keeps everything else. The old one opens the session until the new one was used.
   *
   * @throws {SessionRequired} nothing is stored yet
   */
  renew(): Promise<IssuedToken>
  /** Ends the session everywhere, and takes the cookie back. Data set afterwards belongs to a new session. */
  destroy(callback?: SessionCallback): Promise<void>
  /** Saves what this request changed. Resolves when the store has it. */
  save(callback?: SessionCallback): Promise<void>
  /** Reads the session anew, and forgets what was changed and not saved. */
  reload(callback?: SessionCallback): Promise<void>
  /** Writes down that the session is used now. Happens by itself, once in `touchAfterRatio` of the idle time. */
  touch(): Promise<void>
  /** Ends the session; `req.session` is a new, empty, anonymous one. For passport, which logs in that way. */
  regenerate(callback?: SessionCallback): Promise<void>
}

declare global {
  namespace Express {
    interface Request {
      /** Set by `session()`. */
      session: Session & Partial<SessionData>
      /** The session's public id, as `req.session.id`. */
      sessionID?: string
    }
  }
}
