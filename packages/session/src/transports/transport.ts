import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { SecurityContract } from '@scale/core'

/** How a token travels: read from the request's headers, written to the response's. */
export interface Transport {
  /** What the request carries, whether it has the shape of a token or not; empty if nothing. */
  read(headers: IncomingHttpHeaders): readonly string[]
  /**
   * Writes a new token into the response. Absent if the app hands it over itself, as with bearer tokens.
   *
   * @param persistent  whether it outlives the browser; `undefined`: as the transport says
   */
  readonly issue?: (
    res: ServerResponse,
    token: string,
    remainingMs: number,
    persistent: boolean | undefined,
  ) => void
  /** Takes the token back from the client. */
  readonly clear?: (res: ServerResponse) => void
  /** Value of `WWW-Authenticate` on a 401. */
  readonly challenge?: (refused: boolean) => string
  /** What a description of the API says of it. */
  readonly security?: Omit<SecurityContract, 'optional'>
  /** What `req.session.cookie` says of the cookie. */
  readonly attributes?: CookieAttributes
}

/** The attributes of a cookie. */
export interface CookieAttributes {
  readonly path: string
  readonly domain: string | undefined
  readonly httpOnly: true
  readonly secure: boolean
  readonly sameSite: 'strict' | 'lax' | 'none'
  readonly partitioned: boolean
}
