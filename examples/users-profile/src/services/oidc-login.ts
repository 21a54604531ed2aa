import { BadRequest } from '@scale/errors'
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

/** Those of one browser, by `state`: each of its tabs may have one. */
export type PendingLogins = Readonly<Record<string, PendingLogin>>

/** Somebody whom the provider has authenticated. */
export interface Arrival {
  identity: Identity
  describe(): Promise<Description>
  returnTo: string
}

/** Login through an OpenID provider: authorization code with PKCE, `state` and `nonce`. */
export interface OidcLogin {
  /** @returns where to send the browser, and what its session has to keep from then on */
  begin(
    pending: PendingLogins,
    returnTo: string,
    nowMs: number,
  ): Promise<{ url: string; pending: PendingLogins }>
  /**
   * Takes a login out of those that are pending: it can be finished once, whatever comes of it.
   *
   * @param answer  the query of the callback
   * @throws {BadRequest} this browser has begun no such login, has finished it, or it was too long ago
   */
  take(
    pending: PendingLogins,
    answer: URLSearchParams,
    nowMs: number,
  ): { login: TakenLogin; pending: PendingLogins }
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
      const others = Object.entries(pending).filter(([, login]) => isPending(login, nowMs))
      const newest = others.sort(([, a], [, b]) => a.begunAt - b.begunAt).slice(1 - MAX_PENDING)
      const login = { ...kept, returnTo, begunAt: nowMs }
      return { url, pending: Object.fromEntries([...newest, [state, login]]) }
    },
    take(pending, answer, nowMs) {
      const logins = new Map(Object.entries(pending))
      const [state = '', ...more] = answer.getAll('state')
      const login = logins.get(state)
      if (login === undefined || more.length > 0 || !isPending(login, nowMs)) {
        throw new BadRequest('This login was not begun in this browser, or is over. Start it again.', {
          code: 'LOGIN_UNKNOWN',
        })
      }
      logins.delete(state)
      return { login: { ...login, state, answer }, pending: Object.fromEntries(logins) }
    },
    async finish({ answer, returnTo, ...checks }) {
      const { issuer, subject, claims } = await provider.finish(answer, checks)
      return { identity: { issuer, subject }, describe: async () => describe(await claims()), returnTo }
    },
  }
}

function isPending({ begunAt }: PendingLogin, nowMs: number): boolean {
  return nowMs - begunAt < PENDING_MS
}

function describe(claims: Readonly<Record<string, unknown>>): Description {
  const { name = 'New user', email, email_verified: isVerified } = Claims.parse(claims)
  return { name, verifiedEmail: isVerified ? email : undefined }
}
