import type { Attributes, SpanKind } from '@opentelemetry/api'

/** What becomes of a message. */
export interface TracedMessage {
  /** Of the span or the event; few for all messages of a channel. */
  name: string
  attributes?: Attributes
  /** How long it took until now, ms: then it is a span. Without it is an event of the span that is active. */
  durationMs?: number
  /** Default `INTERNAL` */
  kind?: SpanKind
  /** It failed, and this is the kind of failure: `error.type`, and the status of the span. */
  errorType?: string
}

/** Makes a span or an event of a message; `undefined` for none. */
export type TraceRule = (
  // Messages are read by shape: this package imports none of those that publish them.
  // biome-ignore lint/suspicious/noExplicitAny: each rule knows the message of its channel
  message: any,
) => TracedMessage | undefined
