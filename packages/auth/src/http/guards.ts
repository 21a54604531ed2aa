import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  arrayOf,
  contract,
  durationMs,
  func,
  InvalidOption,
  type MiddlewareContract,
  type Next,
  type ProblemContract,
  resolveOptions,
} from '@scale/core'
import { InsufficientAuthentication, InsufficientScope, TokenRequired } from '../errors.js'
import { authOf, type Presented } from '../middleware.js'
import type { AccessTokenClaims } from '../verification/claims.js'
import type { Auth } from '../verification/verifier.js'
import { challengeOf, quotable, scopeToken } from './challenge.js'

/** A middleware that comes after `accessToken()`. */
export interface Guard {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /** The scopes that it asks for, and how it refuses. */
  readonly [contract]: MiddlewareContract
}

/**
 * Lets a request pass only if its token has all of these scopes: else 403 `insufficient_scope`, which names them.
 *
 * @throws {InvalidOption} there is none, or one has characters that no scope may have (RFC 6749 §3.3)
 */
export function requireScope(...scopes: readonly string[]): Guard {
  const wanted = arrayOf(scopeToken, 1)(scopes)
  if (wanted !== undefined) throw new InvalidOption(`requireScope: the arguments must be ${wanted}.`)
  const scope = scopes.join(' ')
  return guard('requireScope', { scopes, problems: [insufficient] }, (auth, presented) =>
    scopes.every((one) => auth.scopes.has(one))
      ? undefined
      : new InsufficientScope(refusing(presented, { error: 'insufficient_scope', scope })),
  )
}

/**
 * Lets a request pass only if its claims pass a test: else 403.
 *
 * @param test  is given the claims, as the schema made them; what it throws goes to the error handler
 */
export function requireClaims<Claims extends object = AccessTokenClaims>(
  test: (claims: Claims) => boolean,
): Guard {
  if (func(test) !== undefined) throw new InvalidOption('requireClaims: the argument must be a function.')
  return guard('requireClaims', { problems: [insufficient] }, ({ claims }, presented) =>
    test(claims as Claims)
      ? undefined
      : new InsufficientScope(refusing(presented, { error: 'insufficient_scope' })),
  )
}

/** What `requireAuthTime` asks for. */
export interface RequireAuthTimeOptions {
  /** How long ago the user may have authenticated, in ms, whole seconds. Default none */
  maxAgeMs?: number
  /** Accepted values of `acr`, how strongly the user authenticated. Default none */
  acrValues?: readonly string[]
  /** For tests: the time, in ms. Default `Date.now` */
  clock?: () => number
}

/**
 * Lets a request pass only if its user authenticated lately, or strongly enough: else 401
 * `insufficient_user_authentication`, by which a client knows what to ask the authorization server for (RFC 9470).
 *
 * @throws {InvalidOption} nothing is asked for, or something wrong
 */
export function requireAuthTime(options: RequireAuthTimeOptions): Guard {
  const checks = {
    maxAgeMs: durationMs(1_000, 31_536_000_000),
    acrValues: arrayOf(quotable(256), 1),
    clock: func,
  }
  const {
    maxAgeMs,
    acrValues,
    clock = Date.now,
  } = resolveOptions('requireAuthTime', options, {
    checks,
    defaults: {},
  })
  if (maxAgeMs === undefined && acrValues === undefined) {
    throw new InvalidOption('requireAuthTime: give `maxAgeMs`, `acrValues` or both.')
  }
  const stepUp = { status: 401, code: 'ERR_SCALE_TOKEN_STEP_UP' }
  return guard('requireAuthTime', { problems: [stepUp] }, ({ verified: { auth_time, acr } }, presented) => {
    const isRecent = maxAgeMs === undefined || (auth_time ?? 0) * 1_000 + maxAgeMs >= clock()
    const isStrong = acrValues === undefined || (acr !== undefined && acrValues.includes(acr))
    if (isRecent && isStrong) return undefined
    return new InsufficientAuthentication(
      refusing(presented, {
        error: 'insufficient_user_authentication',
        acr_values: acrValues?.join(' '),
        max_age: maxAgeMs === undefined ? undefined : String(Math.floor(maxAgeMs / 1_000)),
      }),
    )
  })
}

function refusing({ challenge, scheme }: Presented, parameters: Record<string, string | undefined>): string {
  return challengeOf(challenge, parameters, scheme)
}

const insufficient: ProblemContract = { status: 403, code: 'ERR_SCALE_TOKEN_SCOPE' }

function guard(
  name: string,
  promised: MiddlewareContract,
  judge: (auth: Auth<object>, presented: Presented) => Error | undefined,
): Guard {
  const check = (req: IncomingMessage, _res: ServerResponse, next: Next): void => {
    let refusal: unknown
    try {
      const { auth, presented } = authOf(req)
      refusal =
        auth === undefined ? new TokenRequired(challengeOf(presented.challenge)) : judge(auth, presented)
    } catch (error) {
      refusal = error
    }
    next(refusal)
  }
  return Object.assign(Object.defineProperty(check, 'name', { value: name }), { [contract]: promised })
}
