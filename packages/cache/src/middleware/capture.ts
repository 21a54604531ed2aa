import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Fields, type HeaderLine } from '../http/fields.js'

/** The beginning of a response: what the handler set, and what had been set before it. */
export interface CapturedHead {
  readonly status: number
  readonly statusMessage: string | undefined
  /** Set downstream of the middleware. */
  readonly fields: Fields
}

/** What becomes of a response that is being written. */
export interface CaptureListener {
  /**
   * The head is complete and not yet sent; fields may be set on the response until this returns.
   *
   * @returns `send`: to the client as it is; `pass`: likewise, and its body is not wanted; `swallow`: nothing of it is
   *          sent, and the listener answers in `onEnd`
   */
  onHead(head: CapturedHead): 'send' | 'pass' | 'swallow'
  /** The body has grown beyond the limit. */
  onTooLarge(): void
  /** The handler has written all of it, and nothing it does counts any more. */
  onWritten(): void
  /** The response is ended. `body` is `undefined` if it grew beyond the limit, or was not wanted. */
  onEnd(head: CapturedHead, body: Buffer | undefined): void
  /** The connection was closed before the handler ended the response. */
  onAbort(): void
}

/**
 * Watches what a handler writes. Chunks are copied, and passed on untouched, with the return value of `write` and its
 * callbacks; nothing is held back.
 *
 * @returns a function that stops it and puts the response's own methods back
 */
export function capture(
  res: ServerResponse,
  options: {
    maxBodyBytes: number
    before: OutgoingHttpHeaders
    /** Runs what is not the handler's: the response's own methods, and what others in front have made of them. */
    outside: <Result>(run: () => Result) => Result
  },
  listener: CaptureListener,
): () => void {
  const { writeHead, write, end } = res
  const chunks: Buffer[] = []
  let bytes = 0
  let head: CapturedHead | undefined
  let swallowing = false
  let wanted = true
  let over = false

  function begin(): void {
    if (head !== undefined) return
    head = headOf(res, options.before)
    const answer = listener.onHead(head)
    swallowing = answer === 'swallow'
    wanted = answer !== 'pass'
  }

  function keep(chunk: unknown, encoding: unknown): void {
    if (chunk === undefined || chunk === null || typeof chunk === 'function' || !wanted) return
    // A copy: once it is sent, the buffer is the handler's again.
    const kept =
      typeof chunk === 'string' ? Buffer.from(chunk, asEncoding(encoding)) : Buffer.from(chunk as Uint8Array)
    bytes += kept.length
    if (bytes <= options.maxBodyBytes) {
      chunks.push(kept)
    } else {
      wanted = false
      chunks.length = 0
      listener.onTooLarge()
    }
  }

  function stop(): void {
    over = true
    res.writeHead = writeHead
    res.write = write
    res.end = end
    res.off('close', onClose)
  }

  function onClose(): void {
    if (over) return
    stop()
    listener.onAbort()
  }

  function writeHeadCaptured(status: number, ...rest: unknown[]): ServerResponse {
    const reason = typeof rest[0] === 'string' ? (rest[0] as string) : undefined
    res.statusCode = status
    if (reason !== undefined) res.statusMessage = reason
    setAll(
      res,
      (reason === undefined ? rest[0] : rest[1]) as OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined,
    )
    begin()
    if (swallowing) return res
    return options.outside(() => writeHead.call(res, status))
  }

  function writeCaptured(chunk: unknown, ...rest: unknown[]): boolean {
    begin()
    keep(chunk, rest[0])
    if (swallowing) {
      callBack(rest)
      return true
    }
    const goOn = options.outside(() => Reflect.apply(write, res, [chunk, ...rest]) as boolean)
    // As long as the body is wanted, which is bounded, the handler does not wait for a client that is slow to read it.
    return goOn || wanted
  }

  function endCaptured(...args: unknown[]): ServerResponse {
    if (over) return Reflect.apply(end, res, args) as ServerResponse
    begin()
    keep(args[0], args[1])
    stop()
    const body = wanted ? Buffer.concat(chunks, bytes) : undefined
    listener.onWritten()
    if (!swallowing) Reflect.apply(end, res, args)
    else callBack(args)
    listener.onEnd(head!, body)
    return res
  }

  res.writeHead = writeHeadCaptured as typeof res.writeHead
  res.write = writeCaptured as typeof res.write
  res.end = endCaptured as typeof res.end
  res.on('close', onClose)
  return stop
}

/** Takes back what the handler has set, so that something else can be sent instead. */
export function resetHead(res: ServerResponse, before: OutgoingHttpHeaders): void {
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  for (const [name, value] of Object.entries(before)) if (value !== undefined) res.setHeader(name, value)
  res.statusCode = 200
  res.statusMessage = ''
}

/** What the response says beyond what had been set before the handler ran. */
function headOf(res: ServerResponse, before: OutgoingHttpHeaders): CapturedHead {
  const now = res.getHeaders()
  const written = new Map(rawHeaderNames(res).map((name) => [name.toLowerCase(), name]))
  const fields = new Fields(
    Object.entries(now).flatMap(([lower, given]): HeaderLine[] => {
      if (given === undefined || sameValue(given, before[lower])) return []
      return [[written.get(lower) ?? lower, Array.isArray(given) ? given.map(String) : String(given)]]
    }),
  )
  return { status: res.statusCode, statusMessage: res.statusMessage || undefined, fields }
}

/** As the handler wrote them. In Node since 15.4, and not in its types. */
function rawHeaderNames(res: ServerResponse): string[] {
  return (res as unknown as { getRawHeaderNames(): string[] }).getRawHeaderNames()
}

function sameValue(a: OutgoingHttpHeader, b: OutgoingHttpHeader | undefined): boolean {
  return (
    a === b ||
    (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((v, i) => v === b[i]))
  )
}

/** Fields of `writeHead` become fields of the response, so that they can be seen and changed. */
function setAll(res: ServerResponse, fields: OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined): void {
  if (fields === undefined || fields === null) return
  if (!Array.isArray(fields)) {
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) res.setHeader(name, value)
    return
  }
  const pairs = Array.isArray(fields[0])
    ? (fields as unknown as [string, OutgoingHttpHeader][])
    : fields.flatMap((name, i) => (i % 2 === 0 ? [[String(name), fields[i + 1]!] as const] : []))
  const seen = new Set<string>()
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase()
    if (seen.has(lower)) res.appendHeader(name, value as string)
    else res.setHeader(name, value)
    seen.add(lower)
  }
}

function callBack(args: readonly unknown[]): void {
  const callback = args.find((arg) => typeof arg === 'function') as (() => void) | undefined
  if (callback !== undefined) process.nextTick(callback)
}

function asEncoding(encoding: unknown): BufferEncoding {
  return typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'
}
