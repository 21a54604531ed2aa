/**
 * The name under which a middleware carries its contract: what it demands of a request, and how it refuses one.
 * Registered, so that a generator of documentation finds it without any package of ours.
 */
export const contract: unique symbol = Symbol.for('@scale/contract') as typeof contract

/** A kind of problem that an answer may be, in the members of RFC 9457. */
export interface ProblemContract {
  readonly status: number
  readonly code: string
  /** Default `about:blank` */
  readonly type?: string
  /** Default: the phrase of the status */
  readonly title?: string
}

/** Credentials that a request needs, or may have, as OpenAPI distinguishes them. */
export interface SecurityContract {
  readonly scheme: 'bearer' | 'dpop' | 'cookie'
  /** Of the cookie. */
  readonly name?: string | undefined
  /** True if a request without them is answered too. */
  readonly optional: boolean
}

/** A quota that a request is counted under. */
export interface QuotaContract {
  readonly name: string
  /** `undefined` where it is decided request by request. */
  readonly quota: number | undefined
  readonly windowMs: number
}

/** What middleware demands, and how it refuses: all of it data. */
export interface MiddlewareContract {
  /** The problems that it answers with. */
  readonly problems?: readonly ProblemContract[]
  /** The credentials that it reads; any one of them will do. */
  readonly security?: readonly SecurityContract[]
  /** Scopes that the credentials need, all of them. */
  readonly scopes?: readonly string[]
  readonly quotas?: readonly QuotaContract[]
}

/** The contracts of several middleware that all run, as one. Those without a contract say nothing. */
export function joinContracts(middleware: readonly unknown[]): MiddlewareContract {
  const contracts = middleware.flatMap((one) => (one as Partial<Contracted> | undefined)?.[contract] ?? [])
  const joined = (['problems', 'security', 'scopes', 'quotas'] as const).flatMap((name) => {
    const parts = contracts.flatMap((one): readonly unknown[] => one[name] ?? [])
    return parts.length === 0 ? [] : [[name, Object.freeze(parts)]]
  })
  return Object.freeze(Object.fromEntries(joined))
}

interface Contracted {
  readonly [contract]: MiddlewareContract
}
