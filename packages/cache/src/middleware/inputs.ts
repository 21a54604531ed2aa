import type { IncomingHttpHeaders } from 'node:http'
import type { HttpRequest } from '../http/cache-key.js'
import type { ResolvedHttpOptions } from './options.js'

/** What a handler has read of a request that is not in the key. */
export interface InputLog {
  /** Request fields, in lower case. */
  readonly headers: Set<string>
  /** Something that belongs to one person or client: `session`, `cookies`, `ip`, … */
  personal: string | undefined
}

/** The inputs of one run of a handler. */
export interface WatchedInputs {
  readonly log: InputLog
  /** Runs what is not the handler's: nothing that it reads counts, and nothing is hidden from it. */
  outside<Result>(run: () => Result): Result
  stop(): void
}

/** What the handler is allowed, and how deep it has gone into what is not its own. */
interface Scope {
  readonly log: InputLog
  outside: number
  /** It is Express that asks for the peer. */
  trusting: boolean
  /** What is not in the key is hidden, and not noted. */
  readonly strip: boolean
  /** Requests with credentials go past the cache: to find none tells nothing. */
  readonly bypassed: boolean
}

/**
 * Fields that make no difference to a response, or that the middleware has dealt with: those of the connection, of the
 * body that there is none of, conditions and directives that were evaluated here.
 */
const HARMLESS = new Set(
  (
    'host connection keep-alive content-length content-type content-encoding transfer-encoding expect upgrade te trailer ' +
    'if-none-match if-modified-since if-match if-unmodified-since if-range range cache-control pragma'
  ).split(' '),
)
const CREDENTIALS = ['cookie', 'authorization', 'proxy-authorization']
/** Properties that middleware before or after this one hangs on requests. */
const PERSONAL = 'session sessionID user auth cookies signedCookies ip ips body headersDistinct'.split(' ')
/** What Node and Express hang on requests themselves, and loggers: nothing that says who asks, or watched otherwise. */
const IMPERSONAL = new Set(
  (
    'aborted client complete headers rawTrailers rawHeaders httpVersion httpVersionMajor httpVersionMinor ' +
    'joinDuplicateHeaders method url statusCode statusMessage socket res upgrade next baseUrl originalUrl originalMethod ' +
    'params query route app secret log id domain startTime secure closed readable destroyed errored'
  ).split(' '),
)
/** Properties of Express that look at the peer only to know whether to trust what a proxy says in fields. */
const BY_TRUST = ['protocol', 'secure', 'hostname', 'host', 'subdomains']
/** What of a connection tells who is at its other end. */
const PEER = /^(?:remote|getPeer|getSession|getTLSTicket|authorized|authorizationError|servername|address$)/

/** What a handler finds where something is hidden from it: nothing, in the shape that it expects. */
const HIDDEN: Readonly<Record<string, unknown>> = Object.freeze({
  headersDistinct: Object.freeze({}),
  cookies: Object.freeze({}),
  signedCookies: Object.freeze({}),
  ips: Object.freeze([]),
})

/**
 * Watches what a handler reads of a request until `stop` is called. Only storing passes pay for it.
 *
 * @param partitioned  the route has named who shares the response: then personal inputs are in the key
 */
export function watchInputs(
  req: HttpRequest,
  locals: object | undefined,
  { unkeyed, headers: declared, cookies }: ResolvedHttpOptions,
  partitioned: boolean,
): WatchedInputs {
  const log: InputLog = { headers: new Set(), personal: undefined }
  if (unkeyed === 'trust') return { log, outside: (run) => run(), stop: () => {} }
  const { headers } = req
  const scope = {
    log,
    outside: 0,
    trusting: false,
    strip: unkeyed === 'strip',
    bypassed: cookies === 'bypass',
  }
  req.headers = watchedHeaders(headers, scope, declared, partitioned)
  const undo = partitioned ? [] : watchPersonal(req, locals ?? {}, scope)
  return {
    log,
    outside: (run) => {
      scope.outside++
      try {
        return run()
      } finally {
        scope.outside--
      }
    },
    stop: () => {
      scope.outside = Number.POSITIVE_INFINITY
      req.headers = headers
      for (const one of undo.reverse()) one()
    },
  }
}

function watchedHeaders(
  headers: IncomingHttpHeaders,
  scope: Scope,
  declared: readonly string[],
  partitioned: boolean,
): IncomingHttpHeaders {
  const isKeyed = (name: string): boolean =>
    HARMLESS.has(name) || declared.includes(name) || (partitioned && CREDENTIALS.includes(name))
  const isAbsentToAll = (name: string): boolean =>
    CREDENTIALS.includes(name) && headers[name] === undefined && (scope.bypassed || name !== 'cookie')
  const note = (name: string | symbol): boolean => {
    if (typeof name !== 'string' || scope.outside > 0 || isKeyed(name) || isAbsentToAll(name)) return true
    if (scope.strip) return false
    if (CREDENTIALS.includes(name)) scope.log.personal ??= name
    else scope.log.headers.add(name)
    return true
  }
  return new Proxy(headers, {
    get: (target, name) => (note(name) ? Reflect.get(target, name) : undefined),
    has: (target, name) => (note(name) ? Reflect.has(target, name) : false),
    getOwnPropertyDescriptor: (target, name) =>
      note(name) ? Reflect.getOwnPropertyDescriptor(target, name) : undefined,
    // Whoever lists the fields reads those that are absent too: nothing can be keyed by that.
    ownKeys: (target) => {
      const names = Reflect.ownKeys(target)
      if (scope.outside > 0) return names
      if (scope.strip) return names.filter((name) => typeof name !== 'string' || isKeyed(name))
      scope.log.personal ??= 'headers'
      return names
    },
  })
}

/** @returns functions that take the watch away */
function watchPersonal(req: HttpRequest, locals: object, scope: Scope): (() => void)[] {
  const personal = (of: object, name: string, as: string = name): (() => void) =>
    intercept(of, name, (found) => {
      if (scope.outside > 0) return found()
      if (scope.strip) return HIDDEN[name]
      const value = found()
      if (!(name === 'cookies' && scope.bypassed && isEmpty(value))) scope.log.personal ??= as
      return value
    })
  const hung = Object.getOwnPropertyNames(req).filter(
    (name) => !IMPERSONAL.has(name) && !name.startsWith('_') && typeof Reflect.get(req, name) !== 'function',
  )
  const { rawHeaders, socket } = req
  const watched = { rawHeaders: watchedRawHeaders(rawHeaders, scope), socket: watchedSocket(socket, scope) }
  const connection = ['socket', 'client'].filter((name) => Object.hasOwn(req, name))
  return [
    ...[...new Set([...PERSONAL, ...hung])].map((name) => personal(req, name)),
    ...Object.keys(locals).map((name) => personal(locals, name, 'locals')),
    // Fields that it reads count, and whether Express trusts the peer does not.
    ...BY_TRUST.filter((name) => !Object.hasOwn(req, name)).map((name) =>
      intercept(req, name, (found) => {
        scope.trusting = true
        try {
          return found()
        } finally {
          scope.trusting = false
        }
      }),
    ),
    intercept(req, 'rawHeaders', () => watched.rawHeaders),
    ...connection.map((name) => intercept(req, name, () => (scope.outside > 0 ? socket : watched.socket))),
  ]
}

/**
 * Puts an accessor in front of a property, own or inherited. What is assigned downstream is read as it is: it was made
 * of inputs that are watched themselves.
 *
 * @returns a function that takes it away again
 */
function intercept(of: object, name: string, read: (found: () => unknown) => unknown): () => void {
  const own = Object.getOwnPropertyDescriptor(of, name)
  if (own?.configurable === false) return () => {}
  let assigned: { value: unknown } | undefined
  const found = (): unknown => {
    if (own === undefined) return Reflect.get(Object.getPrototypeOf(of), name, of)
    return own.get === undefined ? own.value : own.get.call(of)
  }
  Object.defineProperty(of, name, {
    configurable: true,
    enumerable: own?.enumerable ?? false,
    get: () => (assigned === undefined ? read(found) : assigned.value),
    set: (value: unknown) => {
      assigned = { value }
    },
  })
  return () => {
    if (own !== undefined) Object.defineProperty(of, name, own)
    else Reflect.deleteProperty(of, name)
    if (assigned !== undefined) Reflect.set(of, name, assigned.value)
  }
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  )
}

/** Fields as they came. What packages keep of a request lies there too, under symbols, and is theirs. */
function watchedRawHeaders(rawHeaders: string[], scope: Scope): string[] {
  return new Proxy(rawHeaders, {
    get: (target, name) => {
      if (typeof name === 'symbol' || scope.outside > 0) return Reflect.get(target, name)
      if (scope.strip) return Reflect.get([], name)
      scope.log.personal ??= 'rawHeaders'
      return Reflect.get(target, name)
    },
  })
}

/** The connection, as a handler may have it: it is noted if it asks who is at its other end. */
function watchedSocket<Socket extends object>(socket: Socket, scope: Scope): Socket {
  const bound = new Map<PropertyKey, unknown>()
  return new Proxy(socket, {
    get: (target, name) => {
      if (typeof name === 'string' && PEER.test(name) && scope.outside === 0 && !scope.trusting) {
        if (scope.strip) return undefined
        scope.log.personal ??= 'socket'
      }
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (!bound.has(name)) bound.set(name, value.bind(target))
      return bound.get(name)
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  })
}
