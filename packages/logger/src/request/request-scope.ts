import type { RequestContext } from '@scale/core'
import { bind, bindingsOf } from '../lines/bindings.js'
import type { AppLogger } from '../logger.js'
import { activeSpan, propagatedHeaders } from './active-span.js'
import { formatTraceparent, newSpanId, SAMPLED } from './trace-context.js'

/** One request: who it is, and its logger once somebody wants it. */
export class RequestScope implements RequestContext {
  private child: AppLogger | undefined

  constructor(
    readonly logger: AppLogger,
    readonly requestId: string,
    readonly traceId: string,
    readonly spanId: string,
    readonly flags: number,
    readonly tracestate: string | undefined,
    /** The caller's trace, where this one began anew. */
    readonly linkedTraceId: string | undefined,
    /** The ids are those of a span of OpenTelemetry. */
    private readonly isTraced = false,
  ) {}

  get sampled(): boolean {
    return (this.flags & SAMPLED) !== 0
  }

  /** The request's own logger. Below a span of OpenTelemetry its lines have the ids of that one. */
  log(): AppLogger {
    const span = this.isTraced ? activeSpan() : undefined
    if (span !== undefined && span.spanId !== this.spanId && span.traceId === this.traceId) {
      return this.loggerWith(span.spanId)
    }
    this.child ??= this.loggerWith(this.spanId)
    return this.child
  }

  /** Its ids win over what the logger has under their names. */
  private loggerWith(spanId: string): AppLogger {
    const child = this.logger.child({})
    bind(child, {
      ...bindingsOf(this.logger),
      request_id: this.requestId,
      trace_id: this.traceId,
      span_id: spanId,
      trace_flags: `0${this.flags}`,
    })
    return child
  }

  /**
   * What a call to another service carries. Below a span of OpenTelemetry its parent is that span; else each call has a
   * parent id of its own, as nothing here records spans that could be one.
   */
  headers(): Record<string, string> {
    const propagated = this.isTraced ? propagatedHeaders() : {}
    if (propagated.traceparent !== undefined) return { ...propagated, 'x-request-id': this.requestId }
    const parentId = this.isTraced ? this.spanId : newSpanId()
    return {
      traceparent: formatTraceparent(this.traceId, parentId, this.flags),
      ...(this.tracestate !== undefined && { tracestate: this.tracestate }),
      'x-request-id': this.requestId,
    }
  }
}
