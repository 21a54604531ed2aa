export { type TracedMessage, type TraceRule, traceChannels } from './channel-trace.js'
export { type Tracing, tracing } from './middleware.js'
export {
  type ChannelTraceOptions,
  channelTraceDefaults,
  type TracingOptions,
  tracingDefaults,
} from './options.js'
