import { RANDOM, SAMPLED } from './trace-context.js'

/** A span of OpenTelemetry, as far as its ids are concerned. */
export interface ActiveSpan {
  /** 32 lower-case hex digits. */
  readonly traceId: string
  /** 16 lower-case hex digits. */
  readonly spanId: string
  /** Bits 1 (sampled) and 2 (random). */
  readonly flags: number
  /** As in the header `tracestate`. */
  readonly tracestate: string | undefined
}

interface SpanContext {
  traceId: string
  spanId: string
  traceFlags: number
  traceState?: { serialize(): string }
}

interface Span {
  spanContext(): SpanContext
}

interface Context {
  getValue(key: symbol): unknown
}

interface Api {
  context?: { active(): Context }
  propagation?: {
    inject(context: Context, carrier: object, setter: object): void
  }
}

// What `@opentelemetry/api` registers for all copies of its major version, and so without a dependency on one.
const API: unique symbol = Symbol.for('opentelemetry.js.api.1') as typeof API
const SPAN = Symbol.for('OpenTelemetry Context Key SPAN')
const RPC_METADATA = Symbol.for('OpenTelemetry SDK Context Key RPC_METADATA')

const shared = globalThis as { [API]?: Api }

/** @returns `undefined` if no SDK of OpenTelemetry runs, or no span is active */
export function activeSpan(): ActiveSpan | undefined {
  const context = shared[API]?.context?.active()
  return context === undefined ? undefined : idsOf(context.getValue(SPAN) as Span | undefined)
}

/** The span of the request that is being answered: that of a middleware may be active below it. */
export function requestSpan(): ActiveSpan | undefined {
  const context = shared[API]?.context?.active()
  if (context === undefined) return undefined
  const { span } = (context.getValue(RPC_METADATA) as { span?: Span } | undefined) ?? {}
  return idsOf(span ?? (context.getValue(SPAN) as Span | undefined))
}

/** What the SDK adds to a call: `traceparent` and `tracestate`, `baggage`, or what its propagators know besides. */
export function propagatedHeaders(): Record<string, string> {
  const { context, propagation } = shared[API] ?? {}
  const headers: Record<string, string> = {}
  if (context !== undefined) propagation?.inject(context.active(), headers, setter)
  return headers
}

const setter = {
  set(carrier: Record<string, string>, name: string, value: string): void {
    carrier[name] = value
  },
}

function idsOf(span: Span | undefined): ActiveSpan | undefined {
  if (span === undefined) return undefined
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  if (!/^(?!0{32})[0-9a-f]{32}$/.test(traceId) || !/^(?!0{16})[0-9a-f]{16}$/.test(spanId)) return undefined
  return { traceId, spanId, flags: traceFlags & (SAMPLED | RANDOM), tracestate: traceState?.serialize() }
}
