import { hash } from 'node:crypto'
import { type AppError, BadRequest } from '@scale/errors'
import type { LoginChecks, OidcProvider } from '../infrastructure/oidc.js'
import type { Identity } from '../repositories/users.js'
import { Claims } from '../schemas.js'
import type { Description } from './accounts.js'

/** A login that was begun at the provider and is not finished. */
export interface PendingLogin extends Omit<LoginChecks, 'state'> {
  /** A path of this service. */
  returnTo: string
  begunAt: number
}

/** Where those of one browser are kept: each of its tabs may have one, under a key of its own. */
export interface PendingLogins {
  [key: `login:${string}`]: PendingLogin | undefined
}

/** Somebody whom the provider has authenticated. */
export interface Arrival {
  identity: Identity
  describe(): Promise<Description>
  returnTo: string
}

/** Login through an OpenID provider: authorization code with PKCE, `state` and `nonce`. */
export interface OidcLogin {
  /** Puts a login among those that are pending. @returns where to send the browser */
  begin(pending: PendingLogins, returnTo: string, nowMs: number): Promise<string>
  /**
   * Takes a login out of those that are pending: it can be finished once, whatever comes of it.
   *
   * @param answer  the query of the callback
   * @throws {BadRequest} this browser has begun no such login, has finished it, or it was too long ago
   */
  take(pending: PendingLogins, answer: URLSearchParams, nowMs: number): TakenLogin
  finish(login: TakenLogin): Promise<Arrival>
}

/** A login that is being finished. */
export interface TakenLogin extends PendingLogin {
  state: string
  answer: URLSearchParams
}

/** With one more the login that was begun first is forgotten. */
const MAX_PENDING = 5
/** How long somebody may take at the provider, in ms. */
const PENDING_MS = 600_000

export function oidcLogin(provider: OidcProvider): OidcLogin {
  return {
    async begin(pending, returnTo, nowMs) {
      const { url, checks } = await provider.begin()
      const { state, ...kept } = checks
      for (const key of superfluous(pending, nowMs)) delete pending[key]
      pending[keyOf(state)] = { ...kept, returnTo, begunAt: nowMs }
      return url
    },
    take(pending, answer, nowMs) {
      const [state = '', ...more] = answer.getAll('state')
      const login = pending[keyOf(state)]
      if (login === undefined || more.length > 0 || isOver(login, nowMs)) throw unknownLogin()
      delete pending[keyOf(state)]
      return { ...login, state, answer }
    },
    async finish({ answer, returnTo, ...checks }) {
      const { issuer, subject, claims } = await provider.finish(answer, checks)
      return { identity: { issuer, subject }, describe: async () => describe(await claims()), returnTo }
    },
  }
}

/** What the client is told of a login that cannot be finished any more, or never could. */
export function unknownLogin(cause?: unknown): AppError {
  return new BadRequest('This login was not begun in this browser, or is over. Start it again.', {
    code: 'LOGIN_UNKNOWN',
    cause,
  })
}

/** Hashed: names of keys are told to listeners and stand in logs, and `state` is a secret. */
function keyOf(state: string): keyof PendingLogins {
  return `login:${hash('sha256', state, 'base64url')}`
}

/** Logins that are over, and those that were begun first if there is no room for one more. */
function superfluous(pending: PendingLogins, nowMs: number): (keyof PendingLogins)[] {
  const keys = (Object.keys(pending) as (keyof PendingLogins)[]).filter((key) => key.startsWith('login:'))
  const [over, others] = [
    keys.filter((key) => isOver(pending[key]!, nowMs)),
    keys.filter((key) => !isOver(pending[key]!, nowMs)),
  ]
  const newestFirst = others.sort((a, b) => pending[b]!.begunAt - pending[a]!.begunAt)
  return [...over, ...newestFirst.slice(MAX_PENDING - 1)]
}

function isOver({ begunAt }: PendingLogin, nowMs: number): boolean {
  return nowMs - begunAt >= PENDING_MS
}

function describe(claims: Readonly<Record<string, unknown>>): Description {
  const { name = 'New user', email, email_verified: isVerified } = Claims.parse(claims)
  return { name, verifiedEmail: isVerified ? email : undefined }
}
