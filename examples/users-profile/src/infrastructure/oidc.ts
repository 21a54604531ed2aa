import { type AppError, BadGateway, BadRequest, Forbidden, ServiceUnavailable } from '@scale/errors'
import { log } from '@scale/logger'
import * as client from 'openid-client'
import type { Config } from '../config.js'
import { discovered } from './discovered.js'

/** What the answer of a provider is held against. Kept by us, in the browser's session, until it comes. */
export interface LoginChecks {
  state: string
  nonce: string
  codeVerifier: string
}

/** What a provider has vouched for. */
export interface Authenticated {
  issuer: string
  subject: string
  /** What it says about them, unchecked. May ask it once more. */
  claims(): Promise<Readonly<Record<string, unknown>>>
}

/** An OpenID provider, with this service as its client. */
export interface OidcProvider {
  /** @throws {ServiceUnavailable} the provider is away */
  begin(): Promise<{ url: string; checks: LoginChecks }>
  /**
   * @param answer  the query of the callback
   * @throws {Forbidden} the person, or the provider, said no
   * @throws {BadRequest} the answer does not belong to this login
   * @throws {BadGateway} the provider does not take us for its client
   * @throws {ServiceUnavailable} the provider is away
   */
  finish(answer: URLSearchParams, checks: LoginChecks): Promise<Authenticated>
}

/** Longest wait for one answer of the provider, in s. */
const TIMEOUT_SECONDS = 5

/** Asks the provider nothing before somebody wants to log in: without it the service starts, and does all else. */
export function oidcProvider(config: Config): OidcProvider {
  const issuer = new URL(config.OIDC_ISSUER!)
  const redirectUri = config.OIDC_REDIRECT_URI!
  const provider = discovered(() =>
    client.discovery(
      issuer,
      config.OIDC_CLIENT_ID!,
      undefined,
      // What every provider has to support (RFC 6749 §2.3.1).
      client.ClientSecretBasic(config.OIDC_CLIENT_SECRET!),
      {
        timeout: TIMEOUT_SECONDS,
        // The signature of the ID token too, not TLS alone.
        execute: [
          client.enableNonRepudiationChecks,
          ...(issuer.protocol === 'http:' ? [client.allowInsecureRequests] : []),
        ],
      },
    ),
  )

  return {
    async begin() {
      const checks = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        codeVerifier: client.randomPKCECodeVerifier(),
      }
      const url = client.buildAuthorizationUrl(await provider(), {
        redirect_uri: redirectUri,
        scope: 'openid profile email',
        state: checks.state,
        nonce: checks.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(checks.codeVerifier),
        code_challenge_method: 'S256',
      })
      return { url: url.href, checks }
    },
    async finish(answer, { state, nonce, codeVerifier }) {
      const found = await provider()
      // Of the configured address, not of the request: `Host` is the client's to choose.
      const url = new URL(redirectUri)
      url.search = answer.toString()
      try {
        const tokens = await client.authorizationCodeGrant(found, url, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: codeVerifier,
          idTokenExpected: true,
        })
        const claims = tokens.claims()!
        return {
          issuer: claims.iss,
          subject: claims.sub,
          async claims() {
            if (claims.email !== undefined || found.serverMetadata().userinfo_endpoint === undefined)
              return claims
            try {
              return { ...claims, ...(await client.fetchUserInfo(found, tokens.access_token, claims.sub)) }
            } catch (error) {
              throw problemOf(error)
            }
          },
        }
      } catch (error) {
        throw problemOf(error)
      }
    },
  }
}

/** What the client may know of it. The rest is the log's: `cause`. */
function problemOf(cause: unknown): AppError {
  if (cause instanceof client.AuthorizationResponseError) return problemOfAnswer(cause)
  if (cause instanceof client.ResponseBodyError && cause.status < 500) {
    // RFC 6749 §5.2: the code was used, is too old, or was given to somebody else.
    return cause.error === 'invalid_grant' ? unfinished(cause) : refusedAsClient(cause)
  }
  if (isOutage(cause)) return unavailable(cause)
  return unfinished(cause)
}

/** RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6 */
function problemOfAnswer(cause: client.AuthorizationResponseError): AppError {
  switch (cause.error) {
    case 'access_denied':
    case 'login_required':
    case 'interaction_required':
    case 'consent_required':
    case 'account_selection_required':
      return new Forbidden('The login was not completed at the provider.', { code: 'LOGIN_REFUSED', cause })
    case 'server_error':
    case 'temporarily_unavailable':
      return unavailable(cause)
    default:
      return refusedAsClient(cause)
  }
}

function isOutage(cause: unknown): boolean {
  // `fetch` fails with a TypeError when there is no connection.
  if (cause instanceof client.ResponseBodyError || cause instanceof TypeError) return true
  if (!(cause instanceof client.ClientError)) return false
  if (cause.code === 'OAUTH_TIMEOUT') return true
  return cause.cause instanceof Response && cause.cause.status >= 500
}

function unfinished(cause: unknown): AppError {
  // A refusal has no error in its line: what did not fit may be a forgery, or a clock that is wrong.
  log().warn({ err: cause }, 'login answer refused')
  return new BadRequest('This login could not be completed. Start it again.', { code: 'LOGIN_FAILED', cause })
}

function refusedAsClient(cause: unknown): AppError {
  return new BadGateway(undefined, { code: 'LOGIN_PROVIDER_ERROR', cause })
}

function unavailable(cause: unknown): AppError {
  return new ServiceUnavailable(undefined, { code: 'LOGIN_PROVIDER_UNAVAILABLE', retryAfterMs: 5_000, cause })
}
