import type { IncomingMessage } from 'node:http'
import {
  type Context,
  context,
  createContextKey,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
} from '@opentelemetry/api'
import type { TracingRules } from '../options.js'
import { tracerOf } from '../tracer.js'

/** The span that stands for a request, and the context in which it is active. */
export interface ServerSpan {
  readonly span: Span
  readonly context: Context
  /** Begun here, and so ended here. */
  readonly isOwn: boolean
}

/** Where instrumentations keep the span of the request that is being answered: another one may be active below it. */
const RPC_METADATA = createContextKey('OpenTelemetry SDK Context Key RPC_METADATA')

/**
 * The span of a request: the one that an instrumentation has begun, else a new one.
 *
 * @returns `undefined` if no SDK is registered
 */
export function serverSpan(req: IncomingMessage, rules: TracingRules): ServerSpan | undefined {
  const active = context.active()
  const begun = (active.getValue(RPC_METADATA) as { span?: Span } | undefined)?.span ?? trace.getSpan(active)
  if (begun !== undefined) {
    return isSpanContextValid(begun.spanContext())
      ? { span: begun, context: active, isOwn: false }
      : undefined
  }
  return newSpan(req, rules, active)
}

function newSpan(req: IncomingMessage, rules: TracingRules, active: Context): ServerSpan | undefined {
  const received = propagation.extract(active, req.headers)
  const caller = trace.getSpanContext(received)
  const isRestart = rules.trace === 'restart'
  const parent = isRestart ? ROOT_CONTEXT : received
  const span = tracerOf().startSpan(
    methodOf(req),
    {
      kind: SpanKind.SERVER,
      attributes: attributesOf(req, rules),
      ...(isRestart && caller !== undefined && { links: [{ context: caller }] }),
    },
    parent,
  )
  if (!isSpanContextValid(span.spanContext())) return undefined
  const within = trace.setSpan(parent, span).setValue(RPC_METADATA, { type: 'http', span })
  return { span, context: within, isOwn: true }
}

/** What samplers may ask for. */
function attributesOf(req: IncomingMessage, { urlPath }: TracingRules): Record<string, string> {
  const { method = '' } = req
  return {
    'http.request.method': methodOf(req),
    ...(methodOf(req) === '_OTHER' && { 'http.request.method_original': method.slice(0, 32) }),
    'url.scheme': (req.socket as { encrypted?: boolean }).encrypted ? 'https' : 'http',
    'network.protocol.version': req.httpVersionMajor >= 2 ? '2' : req.httpVersion,
    ...(urlPath && { 'url.path': pathOf(req) }),
  }
}

/** RFC 9110, PATCH (RFC 5789) and QUERY; any other could be one of very many. */
const METHODS = /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|QUERY)$/

export function methodOf({ method = '' }: IncomingMessage): string {
  return METHODS.test(method) ? method : '_OTHER'
}

export function pathOf(req: IncomingMessage & { originalUrl?: string }): string {
  const whole = req.originalUrl ?? req.url ?? '/'
  const end = whole.search(/[?#]/)
  return end === -1 ? whole : whole.slice(0, end)
}
