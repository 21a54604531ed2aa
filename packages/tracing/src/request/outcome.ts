import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Attributes, propagation, type Span, SpanStatusCode } from '@opentelemetry/api'
import type { RequestRecord } from '@scale/core'
import { errorTypeOf } from '../error-type.js'
import type { TracingRules } from '../options.js'
import { methodOf, type ServerSpan } from './server-span.js'

const MAX_BAGGAGE_VALUE = 256
const MAX_FRAMES = 30

/** Writes to the span of a request what its record says of its end. */
export function writeOutcome(
  { span, context }: ServerSpan,
  req: IncomingMessage,
  res: ServerResponse,
  record: RequestRecord,
  rules: TracingRules,
): void {
  if (!span.isRecording()) return
  const { route } = record
  if (route !== undefined) {
    span.setAttribute('http.route', route)
    span.updateName(`${methodOf(req)} ${route}`)
  }
  span.setAttributes({
    ...endingAttributes(record, res),
    ...baggageAttributes(rules.baggage, propagation.getBaggage(context)),
    ...ownAttributes(rules, req, res),
  })
  if (!isFailure(record, res)) return
  if (record.error !== undefined) writeError(span, record.error, rules.errors)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

/** The same answer as the line and the metrics of the request have. */
function endingAttributes(
  { ending }: RequestRecord,
  { statusCode, headersSent }: ServerResponse,
): Attributes {
  const { cause, side } = ending!
  const status = cause === 'upgraded' ? 101 : statusCode
  const isKnown = side === undefined || (side === 'server' && headersSent)
  return {
    ...(isKnown && { 'http.response.status_code': status }),
    ...(cause !== 'answered' && { 'scale.ending': cause }),
    ...(side !== undefined && {
      'scale.ending.side': side,
      'error.type': side === 'client' ? 'client_disconnect' : 'response_cut',
    }),
    ...(cause === 'answered' && status >= 500 && { 'error.type': String(status) }),
  }
}

/** What is the server's fault. */
function isFailure({ ending }: RequestRecord, { statusCode }: ServerResponse): boolean {
  const { cause, side } = ending!
  return side === 'server' || (cause === 'answered' && statusCode >= 500)
}

function baggageAttributes(
  names: readonly string[],
  baggage: ReturnType<typeof propagation.getBaggage>,
): Attributes {
  const attributes: Attributes = {}
  for (const name of names) {
    const value = baggage?.getEntry(name)?.value
    if (value !== undefined) attributes[`baggage.${name}`] = value.slice(0, MAX_BAGGAGE_VALUE)
  }
  return attributes
}

/** What the app adds must not keep the span from being ended. */
function ownAttributes({ attributes }: TracingRules, req: IncomingMessage, res: ServerResponse): Attributes {
  try {
    return attributes?.(req, res) ?? {}
  } catch (error) {
    return { 'scale.attributes_error': errorTypeOf(error) }
  }
}

/** As an event of OpenTelemetry's conventions. Frames are the program's own; a message may quote what was received. */
function writeError(span: Span, error: unknown, errors: TracingRules['errors']): void {
  if (errors === 'full') {
    span.recordException(error as Error)
    return
  }
  const stack = (error as { stack?: unknown } | null)?.stack
  const frames = typeof stack === 'string' ? stack.split('\n').filter((line) => /^ {4}at /.test(line)) : []
  span.addEvent('exception', {
    'exception.type': errorTypeOf(error),
    ...(frames.length > 0 && { 'exception.stacktrace': frames.slice(0, MAX_FRAMES).join('\n') }),
  })
}
