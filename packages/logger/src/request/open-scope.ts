import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { RequestRules } from '../options.js'
import { requestSpan } from './active-span.js'
import { RequestScope } from './request-scope.js'
import {
  newSpanId,
  parseTraceparent,
  parseTracestate,
  RANDOM,
  randomHex,
  type TraceParent,
} from './trace-context.js'

/** A request of Express, as far as its ids are concerned. */
export type IdentifiedRequest = IncomingMessage & { app?: { get(name: string): unknown } }

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8
const SPAN_ID_DIGITS = 2 * SPAN_ID_BYTES

/** Finds out, or decides, under which ids a request is known: those of OpenTelemetry's span, if there is one. */
export function openScope(req: IdentifiedRequest, { logger, trace }: RequestRules): RequestScope {
  const { headers } = req
  const caller = parseTraceparent(header(headers.traceparent))
  const requestId = acceptedRequestId(req) ?? randomUUID()
  const span = requestSpan()
  if (span !== undefined) {
    const linked = caller?.traceId === span.traceId ? undefined : caller?.traceId
    return new RequestScope(
      logger,
      requestId,
      span.traceId,
      span.spanId,
      span.flags,
      span.tracestate,
      linked,
      true,
    )
  }
  if (caller === undefined || trace === 'restart') return restarted(logger, requestId, caller)
  const tracestate = parseTracestate(header(headers.tracestate))
  const spanId = newSpanId()
  return new RequestScope(logger, requestId, caller.traceId, spanId, caller.flags, tracestate, undefined)
}

function restarted(
  logger: RequestRules['logger'],
  requestId: string,
  caller: TraceParent | undefined,
): RequestScope {
  const ids = randomHex(SPAN_ID_BYTES + TRACE_ID_BYTES)
  const [traceId, spanId] = [ids.slice(SPAN_ID_DIGITS), ids.slice(0, SPAN_ID_DIGITS)]
  return new RequestScope(logger, requestId, traceId, spanId, RANDOM, undefined, caller?.traceId)
}

/** Node's types allow several; Node itself joins them. */
function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}

const REQUEST_ID = /^[A-Za-z0-9._:=+/@-]{1,128}$/

/** The id that a proxy has given the request, if it has the shape of one and the proxy is trusted by the app. */
function acceptedRequestId(req: IdentifiedRequest): string | undefined {
  const id = req.headers['x-request-id']
  if (typeof id !== 'string' || !REQUEST_ID.test(id)) return undefined
  const isTrusted = req.app?.get('trust proxy fn')
  if (typeof isTrusted !== 'function') return undefined
  return isTrusted(req.socket.remoteAddress, 0) === true ? id : undefined
}
