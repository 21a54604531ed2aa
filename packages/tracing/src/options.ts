import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Attributes } from '@opentelemetry/api'
import {
  arrayOf,
  boolean,
  func,
  type OptionCheck,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
  string,
} from '@scale/core'
import type { TraceRule } from './channels/traced.js'

/** Options of `tracing`. */
export interface TracingOptions {
  /** Paths without a span: probes and scrapes. Default `["/livez", "/readyz", "/startupz", "/healthz", "/metrics"]` */
  quietPaths?: readonly string[]
  /**
   * `continue` joins the caller's trace; `restart`, for an edge that strangers call, begins its own with a link to the
   * caller's, and takes no baggage. A span that an instrumentation has begun before is as that made it. Default `continue`
   */
  trace?: 'continue' | 'restart'
  /** Members of W3C baggage that are written to the server span, as `baggage.<name>`. Default `[]` */
  baggage?: readonly string[]
  /** Whether `url.path` is written; a path may hold what is secret. Default false */
  urlPath?: boolean
  /**
   * What is written of an error: its `type`, which is its code or its class, and the places in the program; or all of it, `full`, with
   * the message, which may quote what was received. Default `type`
   */
  errors?: 'type' | 'full'
  /** More attributes for the server span, asked for when the response is over. Default none */
  attributes?: (req: IncomingMessage, res: ServerResponse) => Attributes | undefined
}

type TracingDefaults = Readonly<
  Required<Pick<TracingOptions, 'quietPaths' | 'trace' | 'baggage' | 'urlPath' | 'errors'>>
>

/** What `tracing` does unless told otherwise. */
export const tracingDefaults: TracingDefaults = Object.freeze({
  quietPaths: Object.freeze(['/livez', '/readyz', '/startupz', '/healthz', '/metrics']),
  trace: 'continue',
  baggage: Object.freeze([]),
  urlPath: false,
  errors: 'type',
})

/** The options after the check. */
export type TracingRules = Readonly<ResolvedOptions<TracingOptions, TracingDefaults>>

/** @throws {InvalidOption} */
export function resolveTracingOptions(given: TracingOptions | undefined): TracingRules {
  return resolveOptions<TracingOptions, TracingDefaults>('tracing', given, {
    checks: {
      quietPaths: arrayOf((value) =>
        typeof value === 'string' && value.startsWith('/') ? undefined : 'a path that starts with /',
      ),
      trace: oneOf('continue', 'restart'),
      baggage: arrayOf(string(1, 256)),
      urlPath: boolean,
      errors: oneOf('type', 'full'),
      attributes: func,
    },
    defaults: tracingDefaults,
  })
}

/** Options of `traceChannels`. */
export interface ChannelTraceOptions {
  /**
   * More channels, or other rules for those that are known; `false` turns one off. A rule makes a span or an event of a message.
   * Default `{}`
   */
  channels?: Readonly<Record<`scale:${string}:${string}`, TraceRule | false>>
}

/** What `traceChannels` does unless told otherwise. */
export const channelTraceDefaults: Readonly<Required<ChannelTraceOptions>> = Object.freeze({
  channels: Object.freeze({}),
})

const rulesByChannel: OptionCheck = (value) =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).every(
    ([name, rule]) => /^scale:[^:]+:[^:]+$/.test(name) && (rule === false || typeof rule === 'function'),
  )
    ? undefined
    : 'an object with a function or `false` per channel `scale:<package>:<event>`'

/** @throws {InvalidOption} */
export function resolveChannelTraceOptions(
  given: ChannelTraceOptions | undefined,
): Readonly<Required<ChannelTraceOptions>> {
  return resolveOptions<ChannelTraceOptions, Required<ChannelTraceOptions>>('traceChannels', given, {
    checks: { channels: rulesByChannel },
    defaults: channelTraceDefaults,
  })
}
