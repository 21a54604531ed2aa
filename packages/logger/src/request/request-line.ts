import type { ServerResponse } from 'node:http'
import { clientAddress, type Ending, type RequestRecord, type RoutedRequest } from '@scale/core'
import { bindingsOf, renamed, serializedFields, withoutFields } from '../lines/bindings.js'
import { lineRedaction } from '../lines/line-redaction.js'
import type { RequestRules } from '../options.js'
import { codeOf, errorFields, isErrorLike } from '../redaction/error-fields.js'
import { redactQuery, scrubForeign, scrubPath } from '../redaction/redact.js'
import { wiringOf } from '../wiring.js'
import type { IdentifiedRequest } from './open-scope.js'
import type { RequestScope } from './request-scope.js'
import { isKept } from './trace-context.js'

/** A request of Express when its response is over. */
export type LoggedRequest = IdentifiedRequest &
  RoutedRequest & { ip?: string | undefined; params?: Record<string, unknown> }

type Level = 'info' | 'warn' | 'error'

/** What the line of a request says itself: a field of that name would be a second value. */
const names: Readonly<Record<string, boolean>> = Object.freeze(
  Object.fromEntries(
    [
      ...['level', 'time', 'msg', 'err', 'error.type', 'ending', 'fields_error', 'duration_ms'],
      ...['request_id', 'trace_id', 'span_id', 'trace_flags', 'link.trace_id', 'client.address'],
      ...['http.request.method', 'http.route', 'url.path', 'url.query'],
      ...['http.response.status_code', 'http.response.body.size'],
    ].map((name) => [name, true]),
  ),
)

interface Outcome {
  level: Level
  /** `undefined` if no answer had begun. */
  status: number | undefined
  message: string
  /** Only successes can be left out by sampling. */
  isOrdinary: boolean
}

/** Nobody is there to read the answer; the status that nginx made known. */
const CLIENT_LEFT = 499
const MAX_HEADER_LENGTH = 256
const MAX_PATH_LENGTH = 1_024

/**
 * Writes the line of one request, as a string put together by hand: with an object, a serialiser and a child logger it
 * costs several times as much.
 *
 * @returns a function that is called when a response is over
 */
export function requestLines(
  rules: RequestRules,
): (scope: RequestScope, req: LoggedRequest, res: ServerResponse, record: RequestRecord) => void {
  const { logger, slowMs, sampleRatio, headers, query, fields } = rules
  const { write, time, safe } = wiringOf(logger)
  const common = serializedFields(withoutFields(logger, names))
  const redactLine = lineRedaction(logger)
  const levelValues = logger.levels.values as Record<Level, number>

  const bindings = bindingsOf(logger)
  const isTaken = (name: string): boolean =>
    name in names || Object.hasOwn(bindings, name) || name.startsWith('http.request.header.')

  return function logRequest(scope, req, res, record) {
    const durationMs = Math.round((performance.now() - record.startedAt) * 1_000) / 1_000
    const { error, route } = record
    const ending = record.ending!
    const outcome = outcomeOf(res, ending, durationMs >= slowMs)
    if (levelValues[outcome.level] < logger.levelVal) return
    if (outcome.isOrdinary && !isKept(scope.traceId, sampleRatio)) return
    const line =
      `{"level":"${outcome.level}"${time()}${common},"request_id":"${scope.requestId}","trace_id":"${scope.traceId}",` +
      `"span_id":"${scope.spanId}","trace_flags":"0${scope.flags}"` +
      `${where(req, route)}${statusOf(outcome)},"duration_ms":${durationMs}` +
      `${sizeOf(req, res)}${addressOf(req)}${optional(scope, req)}` +
      `${reason(outcome, ending, error)}${endingText(ending)}${own(req, res)},"msg":"${outcome.message}"}\n`
    write(redactLine(line), {
      lastLevel: levelValues[outcome.level],
      lastObj: {},
      lastMsg: outcome.message,
      lastTime: '',
      lastLogger: logger,
    })
  }

  function optional({ linkedTraceId }: RequestScope, req: LoggedRequest): string {
    let text = linkedTraceId === undefined ? '' : `,"link.trace_id":"${linkedTraceId}"`
    if (query === 'redact') text += queryOf(req)
    for (const name of headers) text += headerOf(req, name)
    return text
  }

  /** What the app adds must not keep the line from being written. */
  function own(req: LoggedRequest, res: ServerResponse): string {
    if (fields === undefined) return ''
    try {
      const text = JSON.stringify(renamed(safe(fields(req, res) ?? {}), isTaken))
      return text === '{}' ? '' : `,${text.slice(1, -1)}`
    } catch (error) {
      return `,"fields_error":${JSON.stringify(errorFields(error))}`
    }
  }
}

function outcomeOf(res: ServerResponse, { cause, side }: Ending, isSlow: boolean): Outcome {
  const isOrdinary = false
  if (side === 'client') return { level: 'info', status: CLIENT_LEFT, message: 'request aborted', isOrdinary }
  if (cause === 'upgraded') return { level: 'info', status: 101, message: 'connection upgraded', isOrdinary }
  if (side === 'server') {
    const status = res.headersSent ? res.statusCode : undefined
    return { level: 'error', status, message: 'response cut off', isOrdinary }
  }
  const status = res.statusCode
  if (status >= 500) return { level: 'error', status, message: 'request failed', isOrdinary }
  const isRefusal = status === 429 || status === 401 || status === 403
  return {
    level: isSlow || isRefusal ? 'warn' : 'info',
    status,
    message: isSlow ? 'slow request' : status >= 400 ? 'request refused' : 'request completed',
    isOrdinary: !isSlow && status < 400,
  }
}

function statusOf({ status }: Outcome): string {
  return status === undefined ? '' : `,"http.response.status_code":${status}`
}

/** Of what was not simply answered. */
function endingText({ cause }: Ending): string {
  return cause === 'answered' ? '' : `,"ending":"${cause}"`
}

function where(req: LoggedRequest, route: string | undefined): string {
  const url = req.originalUrl ?? req.url ?? ''
  const method = req.method ?? ''
  return (
    `,"http.request.method":"${method}"${route === undefined ? '' : `,"http.route":${quoted(route)}`}` +
    `,"url.path":${quoted(scrubPath(pathOf(url), req.params))}`
  )
}

function pathOf(url: string): string {
  // A request line may hold a whole URL, with a user in it.
  const path = url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
  const end = path.search(/[?#]/)
  return end === -1 ? path.slice(0, MAX_PATH_LENGTH) : path.slice(0, Math.min(end, MAX_PATH_LENGTH))
}

function queryOf(req: LoggedRequest): string {
  const url = req.originalUrl ?? req.url ?? ''
  const start = url.indexOf('?')
  if (start === -1) return ''
  return `,"url.query":${quoted(redactQuery(url.slice(start + 1, start + 1 + MAX_PATH_LENGTH)))}`
}

/** Bytes of the body, as far as the response declared them. */
function sizeOf(req: LoggedRequest, res: ServerResponse): string {
  const length = res.getHeader('content-length')
  if (length === undefined) return ''
  return `,"http.response.body.size":${req.method === 'HEAD' || res.statusCode === 304 ? 0 : Number(length)}`
}

const addressSlot = Symbol('@scale/logger address')

/** Without a forwarding header the address is that of the connection, worked out once. */
function addressOf(req: LoggedRequest): string {
  const isDirect = req.headers['x-forwarded-for'] === undefined
  const socket = req.socket as { [addressSlot]?: string }
  if (isDirect && socket[addressSlot] !== undefined) return socket[addressSlot]
  const address = clientAddress(req)?.address
  const text = address === undefined ? '' : `,"client.address":"${address}"`
  // A socket that is gone has no address any more.
  if (isDirect && text !== '') socket[addressSlot] = text
  return text
}

function headerOf(req: LoggedRequest, name: string): string {
  const value = req.headers[name]
  if (typeof value !== 'string') return ''
  const text =
    name === 'referer' || name === 'origin'
      ? withoutQuery(value)
      : scrubForeign(value.slice(0, MAX_HEADER_LENGTH))
  return `,"http.request.header.${name}":${quoted(text)}`
}

function withoutQuery(referer: string): string {
  if (!/^https?:\/\//i.test(referer) || !URL.canParse(referer)) return '[redacted]'
  const { protocol, host, pathname } = new URL(referer)
  return scrubForeign(`${protocol}//${host}${scrubPath(pathname)}`.slice(0, MAX_HEADER_LENGTH))
}

function reason({ level, status }: Outcome, { cause }: Ending, error: unknown): string {
  if (level === 'error') return failure(error, cause === 'answered' ? status! : 'response_cut')
  return status !== undefined && status >= 400 && status !== CLIENT_LEFT ? refusal(error) : ''
}

function failure(error: unknown, type: number | string): string {
  if (!isErrorLike(error)) return `,"error.type":"${type}"`
  const err = errorFields(error)
  return `,"error.type":${quoted(String(err.code ?? err.type))},"err":${JSON.stringify(err)}`
}

/** Of a refusal the name alone: that is the program's own, and nothing that was received. */
function refusal(error: unknown): string {
  const code = codeOf(error)
  return code === undefined ? '' : `,"error.type":"${code}"`
}

/** As JSON; most texts need no escape. */
function quoted(text: string): string {
  return /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(text) ? `"${text}"` : JSON.stringify(text)
}
