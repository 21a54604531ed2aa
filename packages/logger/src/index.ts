export { type ChannelLogOptions, type ChannelRule, channelLogDefaults, logChannels } from './channel-log.js'
export { type DroppedMessage, droppedChannel } from './channels.js'
export { LogStalled, NoLogger } from './errors.js'
export type { LogDestination } from './lines/destination.js'
export { log, traceHeaders } from './log.js'
export { type AppLogger, createLogger } from './logger.js'
export { type RequestLogger, requestLogger } from './middleware.js'
export {
  type LoggableHeader,
  type LoggerOptions,
  type LogLevel,
  loggerDefaults,
  type RequestLoggerOptions,
  requestLoggerDefaults,
} from './options.js'
export type { ErrorFields } from './redaction/error-fields.js'
export { errorFields } from './redaction/error-fields.js'
export type { LoggedRequest } from './request/request-line.js'
