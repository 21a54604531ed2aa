import {
  boolean,
  durationMs,
  func,
  InvalidOption,
  integer,
  type OptionChecks,
  type ResolvedOptions,
  resolveOptions,
} from '@scale/core'

/** What `remoteKeys` and `discoveredKeys` take beside the address. */
export interface RemoteKeysOptions {
  /** Longest time that one request to the provider may take, body included, in ms. 10–60,000. Default 3,000 */
  timeoutMs?: number
  /** Age at which keys are fetched anew in the background, while requests go on with those at hand, in ms. Default 300,000 (5 min) */
  refreshAfterMs?: number
  /**
   * Age at which requests wait for new keys, for half a second at most and unless the provider failed lately, in ms.
   * Default 600,000 (10 min)
   */
  maxAgeMs?: number
  /** How long the last good set stays in use while the provider is away, in ms. Default 86,400,000 (24 h) */
  maxStaleMs?: number
  /** Unknown `kid`s make the set be fetched anew three times at once, and then once in this time, in ms. 0–3,600,000. Default 30,000 */
  cooldownMs?: number
  /** Pause after the first failure; doubled after each further one, up to a minute, in ms. 10–60,000. Default 1,000 */
  backoffMs?: number
  /** Largest answer, in bytes. 1,024–16,777,216. Default 262,144 */
  maxBytes?: number
  /** Allows `http:`, for tests and for a provider in the same pod. Default false */
  allowHttp?: boolean
  /** Another `fetch`, such as one that goes through a proxy. Default: Node's own */
  fetch?: typeof fetch
  /** For tests: a clock that nobody sets, in ms. Default `performance.now` */
  clock?: () => number
}

type WithDefault = Exclude<keyof RemoteKeysOptions, 'fetch' | 'clock'>

/** The defaults of {@link RemoteKeysOptions}. */
export const remoteKeysDefaults: Readonly<Required<Pick<RemoteKeysOptions, WithDefault>>> = Object.freeze({
  timeoutMs: 3_000,
  refreshAfterMs: 300_000,
  maxAgeMs: 600_000,
  maxStaleMs: 86_400_000,
  cooldownMs: 30_000,
  backoffMs: 1_000,
  maxBytes: 262_144,
  allowHttp: false,
})

const WEEK_MS = 604_800_000

const checks: OptionChecks<RemoteKeysOptions> = {
  timeoutMs: durationMs(10, 60_000),
  refreshAfterMs: durationMs(1, WEEK_MS),
  maxAgeMs: durationMs(1, WEEK_MS),
  maxStaleMs: durationMs(0, WEEK_MS),
  cooldownMs: durationMs(0, 3_600_000),
  backoffMs: durationMs(10, 60_000),
  maxBytes: integer(1_024, 16_777_216),
  allowHttp: boolean,
  fetch: func,
  clock: func,
}

/** What fetches keys, and when. */
export type RemoteKeysConfig = { readonly url: URL } & Readonly<
  ResolvedOptions<RemoteKeysOptions, typeof remoteKeysDefaults>
>

/** @param name  of the function whose options they are. @throws {InvalidOption} */
export function resolveRemoteKeysOptions(
  name: 'remoteKeys' | 'discoveredKeys',
  url: string | URL,
  options: RemoteKeysOptions | undefined,
): RemoteKeysConfig {
  const resolved = resolveOptions(name, options, { checks, defaults: remoteKeysDefaults })
  if (resolved.refreshAfterMs > resolved.maxAgeMs || resolved.maxAgeMs > resolved.maxStaleMs) {
    throw new InvalidOption(`${name}: \`refreshAfterMs ≤ \`maxAgeMs\` ≤ \`maxStaleMs\` must hold.`)
  }
  const parsed = providerUrl(String(url), resolved.allowHttp)
  if (parsed === undefined) {
    throw new InvalidOption(
      `${name}: the address must be an https: URL without credentials, or http: with \`allowHttp: true\`.`,
    )
  }
  return { ...resolved, url: parsed }
}

/** An address that may be asked for keys. @returns `undefined` if it may not */
export function providerUrl(text: string, allowHttp: boolean): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.username !== '') return undefined
  return url.protocol === 'https:' || (url.protocol === 'http:' && allowHttp) ? url : undefined
}
