import { hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { parseStructuredList } from '@scale/core'
import { HTTP_KEY } from '../entries/names.js'
import type { Namespace } from '../entries/namespace.js'
import { InvalidPartition } from '../errors.js'
import type { ResolvedHttpOptions } from '../middleware/options.js'
import type { Fields } from './fields.js'

/** An Express request, as far as it is looked at. */
export interface HttpRequest extends IncomingMessage {
  originalUrl?: string
  baseUrl?: string
  /** As `method-override` leaves it. */
  originalMethod?: string
  query?: unknown
}

/** What is to be done with a request. */
export type Plan =
  /** Looked up, and stored. */
  | {
      readonly kind: 'cache'
      /** Of all variants of this resource. */
      readonly key: string
      readonly uri: string
      readonly partitioned: boolean
      /** Query parameters that are hidden from the handler. */
      readonly hidden: readonly string[]
    }
  /** Handed on; its success invalidates. */
  | { readonly kind: 'unsafe'; readonly uri: string }
  /** Handed on. `forward` is the parameter of `Cache-Status`. */
  | { readonly kind: 'bypass'; readonly forward: 'bypass' | 'method' | 'request'; readonly reason: string }

const SAFE_UNCACHED = new Set(['OPTIONS', 'TRACE', 'PROPFIND', 'SEARCH', 'REPORT', 'QUERY'])
const METHOD_OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const

/** Decides by the request alone. */
export function planFor(req: HttpRequest, options: ResolvedHttpOptions, namespace: Namespace): Plan {
  const { method, headers } = req
  const target = req.originalUrl ?? req.url ?? ''
  if (method !== 'GET' && method !== 'HEAD') {
    if (method === undefined || SAFE_UNCACHED.has(method)) return bypass('method', 'method')
    return { kind: 'unsafe', uri: uriOf(req, target, options.query) }
  }
  // Node's HTTP/2 has requests and responses of another kind, which Express does not take either.
  if (req.httpVersionMajor !== 1) return bypass('bypass', 'protocol')
  const { host } = headers
  // Absolute and authority form would say a second time, and perhaps otherwise, which host is meant.
  if (host === undefined || !target.startsWith('/')) return bypass('bypass', 'target')
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0) {
    return bypass('bypass', 'request-body')
  }
  if (headers.upgrade !== undefined) return bypass('bypass', 'upgrade')
  for (const name of METHOD_OVERRIDES)
    if (headers[name] !== undefined) return bypass('bypass', 'method-override')
  if (headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined) {
    return bypass('bypass', 'precondition')
  }
  if (req.originalMethod !== undefined && req.originalMethod !== method) {
    return bypass('bypass', 'method-override')
  }
  const partition: unknown = options.partition?.(req)
  if (partition !== undefined && (typeof partition !== 'string' || partition === '')) {
    throw new InvalidPartition(partition)
  }
  if (options.partition === undefined ? hasCredentials(req, options) : partition === undefined) {
    return bypass('bypass', 'credentials')
  }
  const { url, hidden } = queried(target, options.query)
  const uri = `${originOf(req)}${url}`
  let key = `${HTTP_KEY}${uri}`
  if (namespace.prefix !== '') key += `\n/${namespace.prefix}`
  // Lengths keep one part from running into the next.
  if (partition !== undefined) key += `\n@${partition.length}:${partition}`
  // Where middleware in front has rewritten the target, by whatever it went by, that decides too.
  const { url: routed, baseUrl } = req
  if (routed !== undefined && routed !== target && !isMounted(target, baseUrl ?? '', routed)) {
    key += `\n>${routed.length}:${routed}`
  }
  for (const name of options.headers) {
    const value = headers[name]
    key += value === undefined ? '\n-' : `\n=${String(value).length}:${value}`
  }
  return { kind: 'cache', key, uri, partitioned: partition !== undefined, hidden }
}

/** Whether `routed` is what Express leaves of the target below the path of a router. */
function isMounted(target: string, base: string, routed: string): boolean {
  return (
    target === base + routed ||
    (routed.startsWith('/?') && target === base + routed.slice(1)) ||
    (routed === '/' && target === base)
  )
}

function bypass(forward: 'bypass' | 'method' | 'request', reason: string): Plan {
  return { kind: 'bypass', forward, reason }
}

function hasCredentials({ headers }: HttpRequest, { cookies, credentials }: ResolvedHttpOptions): boolean {
  return (
    headers.authorization !== undefined ||
    headers['proxy-authorization'] !== undefined ||
    (headers.cookie !== undefined && cookies === 'bypass') ||
    credentials.some((name) => headers[name] !== undefined)
  )
}

/**
 * Origin and target as routed: nothing of it decoded, collapsed or cut off but the parameters that are not declared.
 *
 * @param declared  `undefined` for all
 */
export function uriOf(req: HttpRequest, target: string, declared: readonly string[] | undefined): string {
  return `${originOf(req)}${queried(target, declared).url}`
}

/** Scheme and host, of the connection: the host in lower case, without the port that the scheme has anyway. */
export function originOf({ socket, headers }: HttpRequest): string {
  const secure = (socket as { encrypted?: boolean }).encrypted === true
  const host = (headers.host ?? '').toLowerCase().replace(secure ? /:443$/ : /:80$/, '')
  return `${secure ? 'https' : 'http'}://${host}`
}

interface Parameter {
  readonly name: string
  /** As it is written. */
  readonly pair: string
}

function queryOf(target: string): { readonly path: string; readonly parameters: readonly Parameter[] } {
  const mark = target.indexOf('?')
  if (mark === -1) return { path: target, parameters: [] }
  const pairs = target.slice(mark + 1).split('&')
  const parameters = pairs.filter((pair) => pair !== '').map((pair) => ({ name: nameOf(pair), pair }))
  return { path: target.slice(0, mark), parameters }
}

function targetOf(path: string, parameters: readonly Parameter[]): string {
  return parameters.length === 0 ? path : `${path}?${parameters.map(({ pair }) => pair).join('&')}`
}

/** The target with the declared parameters only, sorted by name, and the names of the others. */
function queried(target: string, declared: readonly string[] | undefined): { url: string; hidden: string[] } {
  if (declared === undefined || !target.includes('?')) return { url: target, hidden: [] }
  const { path, parameters } = queryOf(target)
  const sorted = parameters
    .filter(({ name }) => declared.includes(name))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const hidden = parameters.filter(({ name }) => !declared.includes(name)).map(({ name }) => name)
  return { url: targetOf(path, sorted), hidden }
}

/** `a[b]=1` belongs to `a`, as parsers of queries have it. */
function nameOf(pair: string): string {
  const raw = pair.split('=', 1)[0]!.replaceAll('+', ' ')
  let name = raw
  try {
    name = decodeURIComponent(raw)
  } catch {
    // Not percent-encoded text: taken as it is.
  }
  return name.split('[', 1)[0]!
}

/**
 * Takes undeclared parameters away, wherever a handler may look, so that it cannot depend on them.
 *
 * @returns a function that gives back the target as it came, for those in front who write it down
 */
export function hideParameters(
  req: HttpRequest,
  hidden: readonly string[],
  declared: readonly string[],
): () => void {
  if (hidden.length === 0) return () => {}
  const { originalUrl } = req
  const kept = (target: string): string => {
    const { path, parameters } = queryOf(target)
    return targetOf(
      path,
      parameters.filter(({ name }) => declared.includes(name)),
    )
  }
  if (req.url !== undefined) req.url = kept(req.url)
  if (originalUrl !== undefined) req.originalUrl = kept(originalUrl)
  // What `parseurl` remembers of the target as it came.
  const remembered = req as { _parsedUrl?: unknown; _parsedOriginalUrl?: unknown }
  remembered._parsedUrl = undefined
  remembered._parsedOriginalUrl = undefined
  // Express 4 has parsed the query already; Express 5 parses `req.url` when it is asked.
  const { query } = req
  if (typeof query === 'object' && query !== null && Object.hasOwn(req, 'query')) {
    for (const name of Object.keys(query)) {
      if (!declared.includes(name.split('[', 1)[0]!)) delete (query as Record<string, unknown>)[name]
    }
  }
  return () => {
    if (originalUrl === undefined) return
    req.originalUrl = originalUrl
    remembered._parsedOriginalUrl = undefined
  }
}

/** The tag of all stored responses of one URI. */
export function uriTag(uri: string): string {
  return `${HTTP_KEY}u${digest(uri)}`
}

/** Tags that a response may name of each kind. */
const MAX_WIRE_TAGS = 128

/** The tags that a response names itself: cache groups are of one origin, surrogate keys are plain tags. */
export function wireTags(origin: string, fields: Fields): string[] {
  const plain = (fields.text('surrogate-key') ?? '')
    .split(' ')
    .filter((key) => key !== '' && key.length <= 1_024)
  const groups = groupTags(origin, fields.text('cache-groups') ?? '')
  return [...groups.slice(0, MAX_WIRE_TAGS), ...plain.slice(0, MAX_WIRE_TAGS)]
}

/**
 * The tags of the cache groups that a field names: its strings, and nothing else that it may have in it. Groups of
 * different origins are different.
 *
 * @see RFC 9875 §2, §2.1
 */
export function groupTags(origin: string, field: string): string[] {
  const groups = (parseStructuredList(field) ?? []).filter(({ type }) => type === 'string') as {
    value: string
  }[]
  return groups.map(({ value }) => `${HTTP_KEY}g${digest(`${origin}\n${value}`)}`)
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22)
}
