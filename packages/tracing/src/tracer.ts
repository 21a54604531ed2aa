import { type Tracer, trace } from '@opentelemetry/api'

/** Ours, of whichever SDK is registered, now or later. */
export function tracerOf(): Tracer {
  return trace.getTracer('@scale/tracing')
}
