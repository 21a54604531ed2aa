import type { RequestContext } from '@scale/core'
import { bind, bindingsOf } from '../lines/bindings.js'
import type { AppLogger } from '../logger.js'
import { formatTraceparent, SAMPLED } from './trace-context.js'

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
  ) {}

  get sampled(): boolean {
    return (this.flags & SAMPLED) !== 0
  }

  /** The request's own logger. */
  log(): AppLogger {
    this.child ??= this.ownLogger()
    return this.child
  }

  /** Its ids win over what the logger has under their names. */
  private ownLogger(): AppLogger {
    const child = this.logger.child({})
    bind(child, {
      ...bindingsOf(this.logger),
      request_id: this.requestId,
      trace_id: this.traceId,
      span_id: this.spanId,
      trace_flags: `0${this.flags}`,
    })
    return child
  }

  /** What a call to another service carries. */
  headers(): Record<string, string> {
    return {
      traceparent: formatTraceparent(this.traceId, this.spanId, this.flags),
      ...(this.tracestate !== undefined && { tracestate: this.tracestate }),
      'x-request-id': this.requestId,
    }
  }
}
