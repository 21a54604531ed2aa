import type { IncomingHttpHeaders } from 'node:http'
import type { HttpRequest } from '../http/cache-key.js'

/** What a handler has read of a request that is not in the key. */
export interface InputLog {
  /** Request fields, in lower case. */
  readonly headers: Set<string>
  /** Something that belongs to one person or client: `session`, `cookies`, `ip`, … */
  personal: string | undefined
}

/**
 * Fields that make no difference to a response, or that the middleware has dealt with: those of the connection, of the
 * body that there is none of, conditions and directives that were evaluated here, and what is in the key.
 */
const HARMLESS = new Set([
  'host',
  'connection',
  'keep-alive',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'expect',
  'upgrade',
  'te',
  'trailer',
  'if-none-match',
  'if-modified-since',
  'if-match',
  'if-unmodified-since',
  'if-range',
  'range',
  'cache-control',
  'pragma',
])
const CREDENTIALS = new Set(['cookie', 'authorization', 'proxy-authorization'])
/** Properties that middleware before or after this one hangs on requests. */
const PERSONAL = [
  'session',
  'sessionID',
  'user',
  'auth',
  'cookies',
  'signedCookies',
  'ip',
  'ips',
  'body',
  'headersDistinct',
] as const

/** What a handler finds where something is hidden from it: nothing, in the shape that it expects. */
const HIDDEN: Readonly<Record<string, unknown>> = Object.freeze({
  headersDistinct: Object.freeze({}),
  cookies: Object.freeze({}),
  signedCookies: Object.freeze({}),
  ips: Object.freeze([]),
})

/** What Node and Express hang on requests themselves, and loggers: nothing that says who asks. */
const IMPERSONAL = new Set([
  ...[
    'aborted',
    'client',
    'complete',
    'headers',
    'rawTrailers',
    'rawHeaders',
    'httpVersion',
    'httpVersionMajor',
  ],
  ...[
    'httpVersionMinor',
    'joinDuplicateHeaders',
    'method',
    'url',
    'statusCode',
    'statusMessage',
    'socket',
    'res',
  ],
  ...[
    'upgrade',
    'next',
    'baseUrl',
    'originalUrl',
    'originalMethod',
    'params',
    'query',
    'route',
    'app',
    'secret',
  ],
  ...['log', 'id', 'domain', 'startTime', 'secure', 'closed', 'readable', 'destroyed', 'errored'],
])
/** What of a connection tells who is at its other end. */
const PEER = /^(?:remote|getPeer|getSession|getTLSTicket|authorized|authorizationError|servername|address$)/
/** Properties of Express that look at the peer only to know whether to trust what a proxy says in fields. */
const BY_TRUST = ['protocol', 'secure', 'hostname', 'host', 'subdomains'] as const

/** The inputs of one run of a handler. */
export interface WatchedInputs {
  readonly log: InputLog
  /** Runs what is not the handler's: nothing that it reads counts, and nothing is hidden from it. */
  outside<Result>(run: () => Result): Result
  stop(): void
}

/**
 * Watches what a handler reads of a request until `stop` is called. Only storing passes pay for it.
 *
 * @param mode         `strip` hides what is not in the key instead; `trust` watches nothing
 * @param declared     request fields that are in the key, in lower case
 * @param partitioned  the route has named who shares the response: then personal inputs are in the key
 * @param cookies      `bypass`: whoever sends some is not served what is stored, so that to find none tells nothing
 */
export function watchInputs(
  req: HttpRequest,
  locals: object | undefined,
  mode: 'vary' | 'refuse' | 'strip' | 'trust',
  declared: readonly string[],
  partitioned: boolean,
  cookies: 'bypass' | 'ignore',
): WatchedInputs {
  const log: InputLog = { headers: new Set(), personal: undefined }
  if (mode === 'trust') return { log, outside: (run) => run(), stop: () => {} }
  const { headers } = req
  const scope: Scope = {
    log,
    outside: 0,
    trusting: false,
    strip: mode === 'strip',
    bypassed: cookies === 'bypass',
  }
  req.headers = watchedHeaders(headers, scope, declared, partitioned)
  const undo: (() => void)[] = []
  if (!partitioned) {
    const hung = Object.getOwnPropertyNames(req).filter(
      (name) =>
        !IMPERSONAL.has(name) && !name.startsWith('_') && typeof Reflect.get(req, name) !== 'function',
    )
    for (const name of new Set([...PERSONAL, ...hung])) undo.push(watchProperty(req, name, scope))
    for (const name of Object.keys(locals ?? {})) undo.push(watchProperty(locals!, name, scope, 'locals'))
    for (const name of BY_TRUST) undo.push(watchTrust(req, name, scope))
    undo.push(watchRawHeaders(req, scope), watchSocket(req, scope))
  }
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

/** What the handler is allowed, and how deep it has gone into what is not its own. */
interface Scope {
  readonly log: InputLog
  outside: number
  /** It is Express that asks for the peer. */
  trusting: boolean
  readonly strip: boolean
  /** Requests with credentials go past the cache. */
  readonly bypassed: boolean
}

function watchedHeaders(
  headers: IncomingHttpHeaders,
  scope: Scope,
  declared: readonly string[],
  partitioned: boolean,
): IncomingHttpHeaders {
  const isKeyed = (name: string): boolean =>
    HARMLESS.has(name) || declared.includes(name) || (partitioned && CREDENTIALS.has(name))
  const isAbsentToAll = (name: string): boolean =>
    CREDENTIALS.has(name) && headers[name] === undefined && (scope.bypassed || name !== 'cookie')
  const note = (name: string | symbol): boolean => {
    if (typeof name !== 'string' || scope.outside > 0 || isKeyed(name) || isAbsentToAll(name)) return true
    if (scope.strip) return false
    if (CREDENTIALS.has(name)) scope.log.personal ??= name
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

/** Puts an accessor in front of a property, own or inherited. @returns a function that takes it away again */
function watchProperty(of: object, name: string, scope: Scope, as: string = name): () => void {
  const own = Object.getOwnPropertyDescriptor(of, name)
  if (own?.configurable === false) return () => {}
  let assigned = false
  let value: unknown
  const read = (): unknown =>
    own === undefined
      ? Reflect.get(Object.getPrototypeOf(of), name, of)
      : own.get === undefined
        ? own.value
        : own.get.call(of)
  Object.defineProperty(of, name, {
    configurable: true,
    enumerable: own?.enumerable ?? false,
    get: () => {
      if (assigned) return value
      if (scope.outside > 0) return read()
      if (scope.strip) return HIDDEN[name]
      const found = read()
      const isNothing = name === 'cookies' && scope.bypassed && isEmpty(found)
      if (!isNothing) scope.log.personal ??= as
      return found
    },
    // What is set downstream was made of inputs that are watched themselves.
    set: (given: unknown) => {
      assigned = true
      value = given
    },
  })
  return () => {
    if (own !== undefined) Object.defineProperty(of, name, own)
    else delete (of as Record<string, unknown>)[name]
    if (assigned) (of as Record<string, unknown>)[name] = value
  }
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  )
}

/** What Express works out of fields, which count, and of whether it trusts the peer, which does not. */
function watchTrust(req: HttpRequest, name: string, scope: Scope): () => void {
  if (Object.hasOwn(req, name)) return () => {}
  Object.defineProperty(req, name, {
    configurable: true,
    get: () => {
      scope.trusting = true
      try {
        return Reflect.get(Object.getPrototypeOf(req), name, req)
      } finally {
        scope.trusting = false
      }
    },
    set: (value: unknown) => {
      Object.defineProperty(req, name, { configurable: true, writable: true, enumerable: true, value })
    },
  })
  return () => {
    Reflect.deleteProperty(req, name)
  }
}

/** Fields as they came. What packages keep of a request lies there too, under symbols, and is theirs. */
function watchRawHeaders(req: HttpRequest, scope: Scope): () => void {
  const { rawHeaders } = req
  const none: string[] = []
  const watched = new Proxy(rawHeaders, {
    get: (target, name) => {
      if (typeof name === 'symbol' || scope.outside > 0) return Reflect.get(target, name)
      if (scope.strip) return Reflect.get(none, name)
      scope.log.personal ??= 'rawHeaders'
      return Reflect.get(target, name)
    },
  })
  req.rawHeaders = watched
  return () => {
    if (req.rawHeaders === watched) req.rawHeaders = rawHeaders
  }
}

/** Lets a handler have the connection, and notes if it asks who is at its other end. */
function watchSocket(req: HttpRequest, scope: Scope): () => void {
  const { socket } = req
  const bound = new Map<PropertyKey, unknown>()
  const watched = new Proxy(socket, {
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
  const look = (): typeof socket => (scope.outside > 0 ? socket : watched)
  const names = ['socket', 'client'].filter((name) => Object.hasOwn(req, name))
  for (const name of names) {
    Object.defineProperty(req, name, {
      configurable: true,
      enumerable: true,
      get: look,
      set: (value) =>
        Object.defineProperty(req, name, { configurable: true, writable: true, enumerable: true, value }),
    })
  }
  return () => {
    for (const name of names) {
      if (req.socket !== socket && req.socket !== watched) continue
      Object.defineProperty(req, name, {
        configurable: true,
        writable: true,
        enumerable: true,
        value: socket,
      })
    }
  }
}
