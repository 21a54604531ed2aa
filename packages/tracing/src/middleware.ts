import type { IncomingMessage, ServerResponse } from 'node:http'
import { context, TraceFlags } from '@opentelemetry/api'
import { type Next, type RequestRecord, requestRecord, requestSlot } from '@scale/core'
import { resolveTracingOptions, type TracingOptions } from './options.js'
import { writeOutcome } from './request/outcome.js'
import { pathOf, type ServerSpan, serverSpan } from './request/server-span.js'

/** Middleware of Express 4 and 5. */
export type Tracing = (req: IncomingMessage, res: ServerResponse, next: Next) => void

/**
 * Gives each request a server span that tells the same as its log line and its metrics: the template of the route, how
 * it ended and by whose doing, the error. A span that OpenTelemetry's HTTP instrumentation has begun is used, and no second
 * one made. Without an SDK it does nothing.
 *
 * The first middleware of an app, before `requestLogger` and `httpMetrics`, which then have its ids.
 *
 * @throws {InvalidOption} an option is unknown or wrong
 * @see docs/concepts/tracing.md
 */
export function tracing(options?: TracingOptions): Tracing {
  const rules = resolveTracingOptions(options)
  const quiet = new Set(rules.quietPaths)

  return function tracing(req, res, next) {
    // Mounted twice: the first one has it.
    if (traced.get(req) === true || quiet.has(pathOf(req))) return next()
    const server = serverSpan(req, rules)
    if (server === undefined) return next()
    traced.set(req, true)
    const record = requestRecord(req, res)
    shareIds(server, record)
    record.onEnd(() => {
      writeOutcome(server, req, res, record, rules)
      if (server.isOwn) server.span.end()
    })
    if (server.isOwn) context.with(server.context, next)
    else next()
  }
}

const traced = requestSlot<true>('tracing')
let hasWarned = false

/** Whoever reads the record finds the ids of the span there, unless others have been made before. */
function shareIds({ span }: ServerSpan, record: RequestRecord): void {
  const { traceId, spanId, traceFlags } = span.spanContext()
  if (record.context === undefined) {
    const sampled = (traceFlags & TraceFlags.SAMPLED) !== 0
    record.context = { requestId: traceId, traceId, spanId, sampled }
  } else if (record.context.traceId !== traceId && !hasWarned) {
    hasWarned = true
    process.emitWarning(
      '@scale/tracing: mount `tracing()` before `requestLogger()`: the ids of log lines are not those of spans.',
    )
  }
}
