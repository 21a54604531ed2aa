import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Connection, connectionOf } from './connection.js'
import type { RequestContext } from './context.js'
import { answered, brokenBy, type Ending, isWholeStream } from './ending.js'
import { observeErrors } from './observed-errors.js'
import { type RoutedRequest, routeTemplate } from './route-template.js'
import { slotAt } from './slot.js'

/** What is known of one request, by all who observe it. */
export interface RequestRecord {
  /** When the record was opened, on the clock of `performance.now()`. */
  readonly startedAt: number
  /** `undefined` until the response is over. */
  readonly ending: Ending | undefined
  /**
   * Why the request failed: what was told by `fail`, else what lies in `res.err`, else the last that an error handler of
   * the app was given, else what the response was destroyed with. It may be there also where the app answered well.
   */
  readonly error: unknown
  /** The template of the route, never the URL; `undefined` if no route took the request. See `routeTemplate`. */
  readonly route: string | undefined
  /** The ids of the request, put there by whoever opened its context. */
  context: RequestContext | undefined
  /** Tells the error that was answered with. The last one counts. */
  fail(error: unknown): void
  /** Calls back once, when the response is over; at once if it is. What it throws is an uncaught exception. */
  onEnd(listener: (record: RequestRecord) => void): void
}

// Registered, so that two copies of this package share one record.
const records = slotAt<Record>(Symbol.for('@scale/request-record'))

/**
 * The record of a request: opened by whoever asks first, the same for all, ended once.
 *
 * It ends with the response; where Node tells of no end, as for a response that waits in a pipeline or belongs to an
 * upgraded connection, with the connection. The error handlers of an Express app, and Express's own, are listened to.
 */
export function requestRecord(req: IncomingMessage, res: ServerResponse): RequestRecord {
  let record = records.get(req)
  if (record === undefined) {
    record = new Record(req, res)
    records.set(req, record)
  }
  return record
}

class Record implements RequestRecord {
  readonly startedAt: number = performance.now()
  ending: Ending | undefined
  context: RequestContext | undefined
  private told: unknown
  private observed: unknown
  private isWhole = false
  private readonly app: unknown
  private readonly connection: Connection
  private listeners: ((record: RequestRecord) => void)[] = []

  constructor(
    private readonly req: IncomingMessage,
    readonly res: ServerResponse,
  ) {
    this.app = (req as RoutedRequest).app
    this.connection = connectionOf(req)
    this.connection.open.add(this)
    observeErrors(this.app, observed)
    // Before Node lets go of the socket. A write that failed, or that a destroyed socket gave up, counts as finished too.
    res.prependListener('finish', () => {
      const { socket } = req
      this.isWhole = !socket?.destroyed && !socket?.errored
    })
    // Before others that end with the response read the record.
    res.prependListener('close', () => this.end())
  }

  get error(): unknown {
    return this.told ?? (this.res as { err?: unknown }).err ?? this.observed ?? this.res.errored ?? undefined
  }

  get route(): string | undefined {
    return routeTemplate(this.req as RoutedRequest, this.app)
  }

  fail(error: unknown): void {
    this.told = error
  }

  /** A handler of errors was given this one. */
  observe(error: unknown): void {
    this.observed = error
  }

  onEnd(listener: (record: RequestRecord) => void): void {
    if (this.ending === undefined) this.listeners.push(listener)
    else listener(this)
  }

  end(): void {
    if (this.ending !== undefined) return
    const { req, res, connection } = this
    connection.open.delete(this)
    const isComplete = req.httpVersionMajor < 2 ? this.isWhole : isWholeStream(res)
    this.ending = isComplete ? answered : brokenBy(req, res, connection, this.error !== undefined)
    // An app that is mounted in the first one can be seen only from inside.
    const { app } = req as RoutedRequest
    if (app !== this.app) observeErrors(app, observed)
    const { listeners } = this
    this.listeners = []
    for (const listener of listeners) listener(this)
  }
}

function observed(error: unknown, req: IncomingMessage, res: ServerResponse): void {
  ;(requestRecord(req, res) as Record).observe(error)
}
