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

/** A call that is held back, and whether it is the one that asked what to wait for: it does not ask again. */
type HeldCall = readonly [verb: Verb, args: unknown[], hasAsked: boolean]

/**
 * Lets a response begin, and end, only when something else is done. To whoever writes it, it looks as if it had gone
 * out: `headersSent` is true, headers cannot be changed any more, `write` asks to wait for `drain`.
 *
 * Only this response is changed, no prototype. Everything that sends headers comes through one of four methods.
 */
export function gateResponse(res: ServerResponse, listener: GateListener): void {
  const gate = new Gate(res, listener)
  for (const verb of VERBS) res[verb] = ((...args: unknown[]) => gate.call(verb, args)) as never
  res.on('close', () => listener.closed())
}

/** What of a response tells whether its headers are out: Node refuses to change them while it has a text for them. */
type Response = Omit<ServerResponse, 'writableEnded'> & { _header: string | null; [HOLDER]?: Gate }

const HOLDER: unique symbol = Symbol('gate of the response')

/** One for all responses: an own property of each its own costs them their common shape, and that costs every use of them. */
const WRITABLE_ENDED: PropertyDescriptor = {
  configurable: true,
  get(this: Response) {
    return this[HOLDER]!.hasEnded || this.finished
  },
}

class Gate {
  readonly #res: Response
  readonly #listener: GateListener
  readonly #native: Pick<ServerResponse, Verb>
  #state: 'open' | 'held' | 'ready' | 'passed'
  #held: HeldCall[] = []

  constructor(res: ServerResponse, listener: GateListener) {
    const { writeHead, write, end, flushHeaders } = res
    this.#res = res as unknown as Response
    this.#listener = listener
    this.#native = { writeHead, write, end, flushHeaders }
    this.#state = res.headersSent ? 'passed' : 'open'
  }

  /** Whether the end of the answer is held. */
  get hasEnded(): boolean {
    return this.#held.some(([verb]) => verb === 'end')
  }

  call(verb: Verb, args: unknown[], hasAsked = false): unknown {
    if (this.#state === 'held') return this.#hold(verb, args, false)
    if (this.#state === 'open' || (this.#state === 'passed' && verb === 'end' && !hasAsked)) {
      const waiting = this.#listener.before()
      if (waiting !== undefined) {
        this.#wait(waiting)
        return this.#hold(verb, args, true)
      }
      if (this.#state === 'open') this.#state = 'ready'
    }
    if (verb !== 'writeHead' || this.#state === 'passed') return this.#pass(verb, args)
    this.#state = 'passed'
    return this.#pass(verb, this.#listener.delivers() ? this.#delivered(args) : args)
  }

  #pass(verb: Verb, args: unknown[]): unknown {
    return Reflect.apply(this.#native[verb], this.#res, args)
  }

  #delivered(args: unknown[]): unknown[] {
    setPassedHeaders(this.#res, args.at(-1))
    this.#listener.deliver()
    return args.filter((arg) => typeof arg !== 'object')
  }

  #hold(verb: Verb, args: unknown[], hasAsked: boolean): unknown {
    if (verb === 'writeHead' && this.#held.length > 0) throw headersSent()
    this.#held.push([verb, args, hasAsked])
    return verb === 'write' ? false : verb === 'flushHeaders' ? undefined : this.#res
  }

  #wait(waiting: Promise<void>): void {
    const res = this.#res
    const before = this.#state
    const { statusCode, statusMessage, _header } = res
    this.#state = 'held'
    res[HOLDER] = this
    // Where the headers are out already, it is their text.
    res._header ??= 'held back'
    Object.defineProperty(res, 'writableEnded', WRITABLE_ENDED)
    const release = (): HeldCall[] => {
      const held = this.#held
      this.#held = []
      res._header = _header
      return held
    }
    waiting.then(
      () => {
        const held = release()
        if (before === 'open') {
          this.#state = 'ready'
          res.statusCode = statusCode
          res.statusMessage = statusMessage
        } else this.#state = before
        try {
          for (const call of held) this.call(...call)
        } catch (error) {
          this.#fail(error)
          return
        }
        if (held.some(([verb]) => verb === 'write') && !res.writableNeedDrain) res.emit('drain')
      },
      (error: unknown) => {
        release()
        this.#fail(error)
      },
    )
  }

  #fail(error: unknown): void {
    const res = this.#res
    this.#state = 'passed'
    // Whoever has wrapped these since has seen the end of an answer that is not given.
    Object.assign(res, this.#native)
    if (res.headersSent) {
      this.#listener.cut(error)
      return
    }
    for (const name of OF_THE_ANSWER) res.removeHeader(name)
    Object.assign(res, { statusCode: 200, statusMessage: undefined })
    this.#listener.refused(error)
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
function setPassedHeaders(res: Pick<ServerResponse, 'removeHeader' | 'appendHeader'>, passed: unknown): void {
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
