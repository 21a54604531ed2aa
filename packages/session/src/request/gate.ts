import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** What has to happen around a response. */
export interface GateListener {
  /** The headers are about to go out, or the body is complete: what the answer has to wait for, if anything. */
  before(): Promise<void> | undefined
  /** Whether there are headers to set. */
  delivers(): boolean
  /** The headers go out now: the last moment to set some. */
  deliver(): void
  /** What the answer waited for has failed. Nothing of the answer has gone out. */
  refused(error: unknown): void
  /** What the end of the body waited for has failed: the answer is cut off, so that nobody takes it for complete. */
  cut(error: unknown): void
  /** The response is over, or its client has gone. */
  closed(): void
}

type Verb = 'writeHead' | 'write' | 'end' | 'flushHeaders'
const VERBS = ['writeHead', 'write', 'end', 'flushHeaders'] as const

/** Headers that describe an answer that will not be given. */
const OF_THE_ANSWER = [
  'Accept-Ranges',
  'Cache-Control',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Content-Length',
  'Content-Location',
  'Content-Range',
  'Content-Type',
  'ETag',
  'Expires',
  'Last-Modified',
  'Location',
  'Transfer-Encoding',
]

/**
 * Lets a response begin, and end, only when something else is done. To whoever writes it, it looks as if it had gone
 * out: `headersSent` is true, headers cannot be changed any more, `write` asks to wait for `drain`.
 *
 * Only this response is changed, no prototype. Everything that sends headers comes through one of four methods.
 */
export function gateResponse(res: ServerResponse, listener: GateListener): void {
  const native = { writeHead: res.writeHead, write: res.write, end: res.end, flushHeaders: res.flushHeaders }
  let state: 'open' | 'held' | 'ready' | 'passed' = res.headersSent ? 'passed' : 'open'
  let held: { verb: Verb; args: unknown[] }[] = []
  let release: (() => void) | undefined

  const call = (verb: Verb, args: unknown[]): unknown => {
    if (state === 'held') return hold(verb, args)
    if (state === 'open' || (state === 'passed' && verb === 'end')) {
      const waiting = listener.before()
      if (waiting !== undefined) {
        wait(waiting)
        return hold(verb, args)
      }
      if (state === 'open') state = 'ready'
    }
    if (verb !== 'writeHead' || state === 'passed') return Reflect.apply(native[verb], res, args)
    state = 'passed'
    return Reflect.apply(native.writeHead, res, listener.delivers() ? delivered(args) : args)
  }
  const delivered = (args: unknown[]): unknown[] => {
    setPassedHeaders(res, args.at(-1))
    listener.deliver()
    return args.filter((arg) => typeof arg !== 'object')
  }
  const hold = (verb: Verb, args: unknown[]): unknown => {
    if (verb === 'writeHead' && held.length > 0) throw headersSent()
    held.push({ verb, args })
    return verb === 'write' ? false : verb === 'flushHeaders' ? undefined : res
  }
  const wait = (waiting: Promise<void>): void => {
    const before = state
    const { statusCode, statusMessage } = res
    state = 'held'
    release = shadow(res, () => held.some(({ verb }) => verb === 'end'))
    waiting.then(
      () => {
        release?.()
        state = before === 'open' ? 'ready' : before
        if (before === 'open') Object.assign(res, { statusCode, statusMessage })
        const calls = held
        held = []
        try {
          for (const { verb, args } of calls) call(verb, args)
        } catch (error) {
          fail(error)
          return
        }
        if (calls.some(({ verb }) => verb === 'write') && !res.writableNeedDrain) res.emit('drain')
      },
      (error: unknown) => {
        release?.()
        fail(error)
      },
    )
  }
  const fail = (error: unknown): void => {
    state = 'passed'
    // Whoever has wrapped these since has seen the end of an answer that is not given.
    Object.assign(res, native)
    if (res.headersSent) {
      listener.cut(error)
      return
    }
    for (const name of OF_THE_ANSWER) res.removeHeader(name)
    Object.assign(res, { statusCode: 200, statusMessage: undefined })
    listener.refused(error)
  }

  for (const verb of VERBS) {
    res[verb] = ((...args: unknown[]) => call(verb, args)) as never
  }
  res.once('close', () => listener.closed())
}

/** Makes a response look as if it had gone out. @returns undoes it */
function shadow(res: ServerResponse, hasEnded: () => boolean): () => void {
  const refuse = (): never => {
    throw headersSent()
  }
  const properties: PropertyDescriptorMap = {
    headersSent: { get: () => true },
    writableEnded: { get: hasEnded },
    setHeader: { value: refuse },
    appendHeader: { value: refuse },
    removeHeader: { value: refuse },
  }
  const own = Object.getOwnPropertyDescriptors(res) as PropertyDescriptorMap
  for (const [name, property] of Object.entries(properties)) {
    Object.defineProperty(res, name, { ...property, configurable: true })
  }
  return () => {
    for (const name of Object.keys(properties)) {
      delete (res as unknown as Record<string, unknown>)[name]
      if (own[name] !== undefined) Object.defineProperty(res, name, own[name])
    }
  }
}

function headersSent(): Error {
  return Object.assign(new Error('Cannot set headers after they are sent to the client'), {
    code: 'ERR_HTTP_HEADERS_SENT',
  })
}

/**
 * Sets the headers that a handler passes to `writeHead`, so that what was set for the session is not replaced by them.
 * Cookies are added to those that were set before.
 */
function setPassedHeaders(res: ServerResponse, passed: unknown): void {
  if (typeof passed !== 'object' || passed === null) return
  const replaced = new Set<string>()
  for (const [name, value] of pairsOf(passed as OutgoingHttpHeaders | unknown[])) {
    const lower = name.toLowerCase()
    if (lower !== 'set-cookie' && !replaced.has(lower)) res.removeHeader(name)
    replaced.add(lower)
    // Two of one name are two lines, as Node makes them of an array.
    if (value !== undefined) res.appendHeader(name, Array.isArray(value) ? value.map(String) : String(value))
  }
}

/** An object, an array of names and values in turn, or an array of pairs. */
function pairsOf(passed: OutgoingHttpHeaders | unknown[]): [name: string, value: unknown][] {
  if (!Array.isArray(passed)) return Object.entries(passed)
  if (Array.isArray(passed[0])) return passed as [string, unknown][]
  return passed.flatMap((name, at): [string, unknown][] =>
    at % 2 === 0 ? [[String(name), passed[at + 1]]] : [],
  )
}
