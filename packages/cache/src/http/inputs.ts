import type { IncomingHttpHeaders } from 'node:http'
import type { HttpRequest } from './plan.js'

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
  'rawHeaders',
  'headersDistinct',
] as const

/** What a handler finds where something is hidden from it: nothing, in the shape that it expects. */
const HIDDEN: Readonly<Record<string, unknown>> = Object.freeze({
  rawHeaders: Object.freeze([]),
  headersDistinct: Object.freeze({}),
  cookies: Object.freeze({}),
  signedCookies: Object.freeze({}),
  ips: Object.freeze([]),
})

/**
 * Watches what is read of a request until `stop` is called. Only storing passes pay for it.
 *
 * @param mode         `strip` hides what is not in the key instead; `trust` watches nothing
 * @param declared     request fields that are in the key, in lower case
 * @param partitioned  the route has named who shares the response: then personal inputs are in the key
 */
export function watchInputs(
  req: HttpRequest,
  mode: 'vary' | 'refuse' | 'strip' | 'trust',
  declared: readonly string[],
  partitioned: boolean,
): { log: InputLog; stop: () => void } {
  const log: InputLog = { headers: new Set(), personal: undefined }
  if (mode === 'trust') return { log, stop: () => {} }
  const { headers } = req
  req.headers = watchedHeaders(headers, log, mode, declared, partitioned)
  const restore = partitioned ? [] : PERSONAL.map((name) => watchProperty(req, name, log, mode === 'strip'))
  return {
    log,
    stop: () => {
      req.headers = headers
      for (const undo of restore) undo()
    },
  }
}

function watchedHeaders(
  headers: IncomingHttpHeaders,
  log: InputLog,
  mode: 'vary' | 'refuse' | 'strip',
  declared: readonly string[],
  partitioned: boolean,
): IncomingHttpHeaders {
  const isKeyed = (name: string): boolean =>
    HARMLESS.has(name) || declared.includes(name) || (partitioned && CREDENTIALS.has(name))
  const note = (name: string): boolean => {
    if (isKeyed(name)) return true
    if (mode === 'strip') return false
    if (CREDENTIALS.has(name)) log.personal ??= name
    else log.headers.add(name)
    return true
  }
  return new Proxy(headers, {
    get: (target, name) => (typeof name !== 'string' || note(name) ? Reflect.get(target, name) : undefined),
    has: (target, name) => (typeof name !== 'string' || note(name) ? Reflect.has(target, name) : false),
    getOwnPropertyDescriptor: (target, name) =>
      typeof name !== 'string' || note(name) ? Reflect.getOwnPropertyDescriptor(target, name) : undefined,
    // Whoever lists the fields reads those that are absent too: nothing can be keyed by that.
    ownKeys: (target) => {
      if (mode === 'strip')
        return Reflect.ownKeys(target).filter((name) => typeof name !== 'string' || isKeyed(name))
      log.personal ??= 'headers'
      return Reflect.ownKeys(target)
    },
  })
}

/** Puts an accessor in front of a property, own or inherited. @returns a function that takes it away again */
function watchProperty(req: HttpRequest, name: string, log: InputLog, hide: boolean): () => void {
  const own = Object.getOwnPropertyDescriptor(req, name)
  if (own?.configurable === false) return () => {}
  let assigned = false
  let value: unknown
  Object.defineProperty(req, name, {
    configurable: true,
    enumerable: own?.enumerable ?? false,
    get: () => {
      if (assigned) return value
      if (hide) return HIDDEN[name]
      log.personal ??= name
      if (own !== undefined) return own.get === undefined ? own.value : own.get.call(req)
      return Reflect.get(Object.getPrototypeOf(req), name, req)
    },
    // What is set downstream was made of inputs that are watched themselves.
    set: (given: unknown) => {
      assigned = true
      value = given
    },
  })
  return () => {
    if (own !== undefined) Object.defineProperty(req, name, own)
    else delete (req as unknown as Record<string, unknown>)[name]
    if (assigned) (req as unknown as Record<string, unknown>)[name] = value
  }
}
