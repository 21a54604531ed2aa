import {
  boolean,
  durationMs,
  func,
  InvalidOption,
  integer,
  type OptionCheck,
  type OptionChecks,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
  string,
} from '@scale/core'
import { providerUrl } from '../../keys/remote-options.js'
import type { SigningKeys } from '../../keys/signing.js'

/** What `introspection` takes beside the address. */
export interface IntrospectionOptions {
  /** The name that the provider knows this API by. */
  clientId: string
  /** Its secret, for `basic` and `post`. Default none */
  clientSecret?: string
  /** Its keys, for `private_key_jwt`: `signingKeys(…)`. Default none */
  clientKeys?: SigningKeys
  /** How it says who it is: `basic`, `post`, or `private_key_jwt`. Default: the first with a secret, the last with keys */
  clientAuthentication?: 'basic' | 'post' | 'private_key_jwt'
  /** How long a token that is active is not asked for again, unless it ends before, in ms. 0–3,600,000. Default 60,000 (1 min) */
  maxActiveMs?: number
  /** How long a token that is not active is not asked for again, in ms. 0–60,000. Default 5,000 */
  maxInactiveMs?: number
  /** Longest time that one question may take, in ms. 10–60,000. Default 3,000 */
  timeoutMs?: number
  /** Pause after the first failure, in which unknown tokens are 503 at once; doubled after each further one, up to a minute, in ms. 10–60,000. Default 1,000 */
  backoffMs?: number
  /** Questions that are under way at once; a thousand more wait. 1–1,000. Default 32 */
  maxConcurrent?: number
  /** Largest answer, in bytes. 1,024–1,048,576. Default 65,536 */
  maxBytes?: number
  /** Allows `http:`, for tests and for a provider in the same pod. Default false */
  allowHttp?: boolean
  /** Another `fetch`, such as one that goes through a proxy. Default: Node's own */
  fetch?: typeof fetch
  /** For tests: a clock that nobody sets, in ms. Default `performance.now` */
  clock?: () => number
}

type WithDefault =
  | 'maxActiveMs'
  | 'maxInactiveMs'
  | 'timeoutMs'
  | 'backoffMs'
  | 'maxConcurrent'
  | 'maxBytes'
  | 'allowHttp'

/** The defaults of {@link IntrospectionOptions}. */
export const introspectionDefaults: Readonly<Required<Pick<IntrospectionOptions, WithDefault>>> =
  Object.freeze({
    maxActiveMs: 60_000,
    maxInactiveMs: 5_000,
    timeoutMs: 3_000,
    backoffMs: 1_000,
    maxConcurrent: 32,
    maxBytes: 65_536,
    allowHttp: false,
  })

const keys: OptionCheck = (value) =>
  typeof (value as Partial<SigningKeys> | null)?.current === 'function' ? undefined : '`signingKeys(…)`'

const checks: OptionChecks<IntrospectionOptions> = {
  clientId: string(1, 1_024),
  clientSecret: string(1, 4_096),
  clientKeys: keys,
  clientAuthentication: oneOf('basic', 'post', 'private_key_jwt'),
  maxActiveMs: durationMs(0, 3_600_000),
  maxInactiveMs: durationMs(0, 60_000),
  timeoutMs: durationMs(10, 60_000),
  backoffMs: durationMs(10, 60_000),
  maxConcurrent: integer(1, 1_000),
  maxBytes: integer(1_024, 1_048_576),
  allowHttp: boolean,
  fetch: func,
  clock: func,
}

/** How a provider is asked about tokens. */
export type IntrospectionConfig = { readonly url: URL } & Readonly<
  ResolvedOptions<IntrospectionOptions, typeof introspectionDefaults>
>

/** @throws {InvalidOption} */
export function resolveIntrospectionOptions(
  endpoint: string | URL,
  options: IntrospectionOptions,
): IntrospectionConfig {
  const resolved = resolveOptions('introspection', options, {
    checks,
    defaults: introspectionDefaults,
    required: ['clientId'],
  })
  const { clientSecret, clientKeys, clientAuthentication } = resolved
  const needsKeys = clientAuthentication === 'private_key_jwt'
  if (
    (clientSecret === undefined) === (clientKeys === undefined) ||
    (clientAuthentication !== undefined && needsKeys !== (clientKeys !== undefined))
  ) {
    throw new InvalidOption(
      'introspection: either `clientSecret` (with `basic` or `post`) or `clientKeys` (with `private_key_jwt`) is required.',
    )
  }
  const url = providerUrl(String(endpoint), resolved.allowHttp)
  if (url === undefined) {
    throw new InvalidOption(
      'introspection: the address must be an https: URL without credentials, or http: with `allowHttp: true`.',
    )
  }
  return { ...resolved, url }
}
