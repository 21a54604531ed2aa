import { context, SpanStatusCode, TraceFlags, type Tracer, trace } from '@opentelemetry/api'
import { type Channel, channel } from '@scale/core'
import { traceRules } from './channels/rules.js'
import type { TracedMessage, TraceRule } from './channels/traced.js'
import { type ChannelTraceOptions, resolveChannelTraceOptions } from './options.js'
import { tracerOf } from './tracer.js'

export type { TracedMessage, TraceRule } from './channels/traced.js'

// Node below 22.21 may drop the subscribers of a channel that nobody holds.
const held = new Set<Channel<unknown>>()

/**
 * Makes spans and events of what the packages tell on their channels, below the span that is active at that time: what takes
 * time becomes a span of its own, what only happens an event. Where no span is active, or its trace is not sampled, nothing is made.
 *
 * Call it once in every process. It imports none of the packages.
 *
 * @returns a function that ends it
 * @throws {InvalidOption} an option is unknown or wrong
 */
export function traceChannels(options?: ChannelTraceOptions): () => void {
  const { channels } = resolveChannelTraceOptions(options)
  const tracer = tracerOf()
  const stops = Object.entries({ ...traceRules, ...channels }).flatMap(([name, rule]) => {
    if (rule === false) return []
    const one = channel<unknown>(name as `scale:${string}:${string}`)
    held.add(one)
    return one.subscribe((message) => write(tracer, rule, message))
  })
  return () => {
    for (const stop of stops) stop()
  }
}

function write(tracer: Tracer, rule: TraceRule, message: unknown): void {
  const span = trace.getActiveSpan()
  if (span === undefined || (span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return
  const traced = tracedOf(rule, message)
  if (traced === undefined) return
  const { name, durationMs, kind, errorType } = traced
  const attributes = { ...traced.attributes, ...(errorType !== undefined && { 'error.type': errorType }) }
  if (durationMs === undefined) {
    span.addEvent(name, attributes)
    return
  }
  const endedAt = Date.now()
  const startTime = endedAt - durationMs
  const made = tracer.startSpan(
    name,
    { startTime, attributes, ...(kind !== undefined && { kind }) },
    context.active(),
  )
  if (errorType !== undefined) made.setStatus({ code: SpanStatusCode.ERROR })
  made.end(endedAt)
}

/** A listener that throws ends the process: what a rule cannot read is left out. */
function tracedOf(rule: TraceRule, message: unknown): TracedMessage | undefined {
  try {
    return rule(message)
  } catch {
    return undefined
  }
}
