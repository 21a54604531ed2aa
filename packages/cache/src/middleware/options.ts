import type { IncomingMessage } from 'node:http'
import {
  anyOf,
  arrayOf,
  boolean,
  durationMs,
  func,
  InvalidOption,
  integer,
  number,
  type OptionCheck,
  type OptionChecks,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
  string,
} from '@scale/core'

const MAX_MS = 366 * 86_400_000

/** Options of `cache.http`. */
export interface HttpCacheOptions<Request extends IncomingMessage = IncomingMessage> {
  /**
   * `route`: responses that say nothing of their lifetime are fresh for `ttlMs`. `origin`: only what responses say
   * counts. What a response forbids is never stored. Default `route`
   */
  policy?: 'route' | 'origin'
  /** Lifetime of 200, 203, 300, 301 and 308 that name none, in ms. Default: the cache's `ttlMs` */
  ttlMs?: number
  /** Lifetime of 404 and 410 that name none, in ms; 0 does not store them. Default 0 */
  negativeTtlMs?: number
  /** Unless the response says otherwise, in ms. Default: the cache's */
  staleWhileRevalidateMs?: number
  /** Unless the response says otherwise, in ms. Default: the cache's */
  staleIfErrorMs?: number
  /** For how long after that a response is kept only to be revalidated by its `ETag` or date, in ms. Default 60,000 */
  keepMs?: number
  /**
   * Responses that name no lifetime, nor have one of the route, are fresh for this share of the time since their
   * `Last-Modified`, for a day at most: 0.1 is usual. 0 for none. Default 0
   */
  heuristicRatio?: number
  /** Responses with `Set-Cookie`: `store` gives everyone the cookie of the first. Default `refuse` */
  setCookie?: 'refuse' | 'store'
  /**
   * Query parameters that are in the key. Others are removed from `req.url` and `req.query` before the handler sees
   * them. Default: all, as they are written
   */
  query?: readonly string[]
  /** Request fields that are in the key whatever the response says in `Vary`. Default `[]` */
  headers?: readonly string[]
  /**
   * What a handler may read of a request that is not in the key, while its response is to be stored. `vary`: a field
   * it reads becomes part of the key, and of `Vary`; anything personal refuses. `refuse`: the response is not stored.
   * `strip`: the handler does not see it. `trust`: nothing is watched, and what the response says in `Vary` is
   * believed; for a proxy to another origin, whose answers say it. Default `vary`
   */
  unkeyed?: 'vary' | 'refuse' | 'strip' | 'trust'
  /** `ignore` says that no response depends on cookies; one that reads them all the same is not stored. Default `bypass` */
  cookies?: 'bypass' | 'ignore'
  /**
   * Request fields that say who asks, beside `Cookie` and `Authorization`: requests with one of them go past the cache,
   * unless there is a `partition`. Default `["x-api-key","api-key","apikey","x-auth-token","x-access-token"]`
   */
  credentials?: readonly string[]
  /**
   * Names who shares a response: a tenant, a role, a user. With it, requests with credentials are cached too, and
   * responses are `private` to everyone downstream. `undefined` bypasses; anything else that is no string, a promise
   * above all, fails the request. Default none
   */
  partition?: (req: Request) => string | undefined
  /** Tags of stored responses, for `invalidateTags`. Default none */
  tags?: readonly string[] | ((req: Request) => readonly string[])
  /** Tells a CDN in front the tags, as `Cache-Groups` and `Surrogate-Key`. Default false */
  sendTags?: boolean
  /**
   * Fields of targeted cache control, in order of precedence. The first one is this cache's own, and is not sent on.
   * Default `["Scale-Cache-Control","CDN-Cache-Control"]`
   */
  targets?: readonly string[]
  /**
   * What the client of an unsafe request that succeeded is told if Redis did not acknowledge what it invalidates:
   * `answer`: what the handler said. `reject`: a 503, though the request was carried out, so that it is repeated; a
   * response that is under way already breaks off. Either way it is sent to Redis until that answers. Default `answer`
   */
  onUnacknowledged?: 'answer' | 'reject'
  /** Directives of requests: `honour` lets clients make the cache fetch anew. Default `ignore` */
  clientDirectives?: 'ignore' | 'honour'
  /**
   * Content codings that stored text, JSON, XML and SVG are sent in, best first: made once, after the first hit, and
   * kept beside them in process. Do not put `compression` outside as well. Default `[]`
   */
  encodings?: readonly ('br' | 'gzip')[]
  /** Largest body that is stored, in bytes. Default: the cache's `maxValueBytes` */
  maxBodyBytes?: number
  /** Names this cache in `Cache-Status`: a token. Default `scale` */
  cacheName?: string
}

type WithoutDefault =
  | 'ttlMs'
  | 'staleWhileRevalidateMs'
  | 'staleIfErrorMs'
  | 'query'
  | 'partition'
  | 'tags'
  | 'maxBodyBytes'

/** The defaults of {@link HttpCacheOptions}. */
export const httpCacheDefaults: Readonly<Required<Omit<HttpCacheOptions, WithoutDefault>>> = Object.freeze({
  policy: 'route',
  negativeTtlMs: 0,
  keepMs: 60_000,
  heuristicRatio: 0,
  setCookie: 'refuse',
  headers: Object.freeze([]),
  unkeyed: 'vary',
  cookies: 'bypass',
  credentials: Object.freeze(['x-api-key', 'api-key', 'apikey', 'x-auth-token', 'x-access-token']),
  sendTags: false,
  targets: Object.freeze(['Scale-Cache-Control', 'CDN-Cache-Control']),
  clientDirectives: 'ignore',
  onUnacknowledged: 'answer',
  cacheName: 'scale',
  encodings: Object.freeze([]),
})

const token: OptionCheck = (value) =>
  typeof value === 'string' && /^[!#$%&'*+\-.^_`|~\w]{1,64}$/.test(value) ? undefined : 'a field name'

const checks: OptionChecks<HttpCacheOptions> = {
  policy: oneOf('route', 'origin'),
  ttlMs: durationMs(1, MAX_MS),
  negativeTtlMs: durationMs(0, MAX_MS),
  staleWhileRevalidateMs: durationMs(0, MAX_MS),
  staleIfErrorMs: durationMs(0, MAX_MS),
  keepMs: durationMs(0, MAX_MS),
  heuristicRatio: number(0, 1),
  setCookie: oneOf('refuse', 'store'),
  query: arrayOf(string(1, 128)),
  headers: arrayOf(token),
  unkeyed: oneOf('vary', 'refuse', 'strip', 'trust'),
  cookies: oneOf('bypass', 'ignore'),
  credentials: arrayOf(token),
  partition: func,
  tags: anyOf(func, arrayOf(string(1, 1_024))),
  sendTags: boolean,
  targets: arrayOf(token),
  clientDirectives: oneOf('ignore', 'honour'),
  onUnacknowledged: oneOf('answer', 'reject'),
  encodings: arrayOf(oneOf('br', 'gzip')),
  maxBodyBytes: integer(1),
  cacheName: (value) =>
    typeof value === 'string' && /^[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]{0,63}$/.test(value)
      ? undefined
      : 'a token',
}

/** What `cache.http` inherits from its cache. */
export interface Inherited {
  readonly ttlMs: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  readonly maxBodyBytes: number
}

export type ResolvedHttpOptions = Readonly<
  ResolvedOptions<HttpCacheOptions, typeof httpCacheDefaults & Inherited>
>

export function resolveHttpOptions<Request extends IncomingMessage>(
  options: HttpCacheOptions<Request> | undefined,
  inherited: Inherited,
): ResolvedHttpOptions {
  const given = options as HttpCacheOptions | undefined
  if (given?.policy === 'origin' && given.ttlMs !== undefined) {
    throw new InvalidOption(
      "cache.http: `ttlMs` has no effect under `policy: 'origin'`; leave one of them out.",
    )
  }
  const resolved = resolveOptions('cache.http', given, {
    checks,
    defaults: { ...httpCacheDefaults, ...inherited },
  })
  const lower = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase())
  return Object.freeze({
    ...resolved,
    headers: lower(resolved.headers),
    targets: lower(resolved.targets),
    credentials: lower(resolved.credentials).filter((name) => !lower(resolved.headers).includes(name)),
  })
}
