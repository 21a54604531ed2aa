import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  anyOf,
  arrayOf,
  durationMs,
  func,
  integer,
  number,
  type OptionCheck,
  object,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
  string,
} from '@scale/core'
import type { LoggerOptions as PinoOptions } from 'pino'
import type { LogDestination } from './lines/destination.js'
import type { AppLogger } from './logger.js'
import { isAppLogger } from './wiring.js'

/** The levels, from the most talkative on. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** Options of `createLogger`. */
export interface LoggerOptions {
  /** Least level that is written; `logger.level = 'debug'` changes it at run time. Default `info` */
  level?: LogLevel
  /** Name of the service, written as `service.name`. Default none */
  service?: string
  /** Version of the service, written as `service.version`. Default none */
  version?: string
  /** Further fields for every line. Default none */
  fields?: Readonly<Record<string, unknown>>
  /** How the time of a line is written: `iso` as RFC 3339 in UTC, `epoch` in ms since 1970. Default `iso` */
  time?: 'iso' | 'epoch'
  /** `human` for people, `json` for machines, `auto`: for people if the destination is a terminal. Default `auto` */
  format?: 'auto' | 'json' | 'human'
  /**
   * Where lines go: any writable stream, what `pino.destination`, `pino.transport` or `pino.multistream` make, or
   * anything with a `write`. Default: `process.stdout`
   */
  destination?: LogDestination
  /** Most that is kept while the destination stalls; what comes then is dropped and counted. Default 4,194,304 */
  maxBufferBytes?: number
  /** How long a line may wait for others to be written with it, in ms, 0–1,000. Default 10 */
  writeAfterMs?: number
  /**
   * How often the same line is written within `foldWindowMs`, before it is only counted. Lines of different requests are
   * not the same. Default: lines are not counted, but written
   */
  foldAfter?: number
  /** Length of that window, in ms. Default 10,000 */
  foldWindowMs?: number
  /** Names of fields whose values are secret, besides those that are known to be. Default none */
  redactNames?: readonly string[]
  /** Paths that are left out too, with pino's own `redact`. Default none */
  redact?: PinoOptions['redact']
}

type LoggerDefaults = Readonly<
  Required<
    Pick<LoggerOptions, 'level' | 'time' | 'format' | 'maxBufferBytes' | 'writeAfterMs' | 'foldWindowMs'>
  >
>

/** What `createLogger` does unless told otherwise. */
export const loggerDefaults: LoggerDefaults = Object.freeze({
  level: 'info',
  time: 'iso',
  format: 'auto',
  maxBufferBytes: 4_194_304,
  writeAfterMs: 10,
  foldWindowMs: 10_000,
})

const writable: OptionCheck = (value) =>
  typeof (value as Partial<LogDestination> | null)?.write === 'function'
    ? undefined
    : 'a stream, or an object with a function `write`'

/** @throws {InvalidOption} */
export function resolveLoggerOptions(
  given: LoggerOptions | undefined,
): Readonly<ResolvedOptions<LoggerOptions, LoggerDefaults>> {
  return resolveOptions<LoggerOptions, LoggerDefaults>('createLogger', given, {
    checks: {
      level: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
      service: string(1, 256),
      version: string(1, 256),
      fields: object,
      time: oneOf('iso', 'epoch'),
      format: oneOf('auto', 'json', 'human'),
      destination: writable,
      maxBufferBytes: integer(4_096, 1_073_741_824),
      writeAfterMs: durationMs(0, 1_000),
      foldAfter: integer(1),
      foldWindowMs: durationMs(),
      redactNames: arrayOf(string(1, 128)),
      redact: anyOf(arrayOf(string(1)), object),
    },
    defaults: loggerDefaults,
  })
}

/** Headers of a request that may be written; all others may identify or authorise somebody. */
export const loggableHeaders = [
  'accept',
  'accept-encoding',
  'accept-language',
  'content-encoding',
  'content-length',
  'content-type',
  'host',
  'origin',
  'referer',
  'user-agent',
] as const

/** A header that may be written. */
export type LoggableHeader = (typeof loggableHeaders)[number]

/** Options of `requestLogger`. */
export interface RequestLoggerOptions {
  /** From `createLogger`, or a child of such a logger. */
  logger: AppLogger
  /** From when on a request is slow and its line a warning, in ms. Default 1,000 */
  slowMs?: number
  /**
   * Share of the lines of quick successes that is written, 0–1, decided by the trace id, so that all services keep the
   * same ones. Failures, refusals and slow requests are always written. Default 1
   */
  sampleRatio?: number
  /** Paths without a line: probes and scrapes. Default `["/livez", "/readyz", "/startupz", "/healthz", "/metrics"]` */
  quietPaths?: readonly string[]
  /** Headers to write, of those that may be: `referer` without its query, each up to 256 characters. Default `[]` */
  headers?: readonly LoggableHeader[]
  /** `redact` writes the query as `url.query`, without what may be a secret; `omit` leaves it out. Default `omit` */
  query?: 'omit' | 'redact'
  /**
   * `continue` joins the caller's trace; `restart`, for an edge that strangers call, begins its own and keeps the
   * caller's id as `link.trace_id`. Default `continue`
   */
  trace?: 'continue' | 'restart'
  /** More fields for the line, asked for when the response is over; made safe like all fields. Default none */
  fields?: (req: IncomingMessage, res: ServerResponse) => object | undefined
}

type RequestLoggerDefaults = Readonly<
  Required<
    Pick<RequestLoggerOptions, 'slowMs' | 'sampleRatio' | 'quietPaths' | 'headers' | 'query' | 'trace'>
  >
>

/** What `requestLogger` does unless told otherwise. */
export const requestLoggerDefaults: RequestLoggerDefaults = Object.freeze({
  slowMs: 1_000,
  sampleRatio: 1,
  quietPaths: Object.freeze(['/livez', '/readyz', '/startupz', '/healthz', '/metrics']),
  headers: Object.freeze([]),
  query: 'omit',
  trace: 'continue',
})

/** The options after the check. */
export type RequestRules = Readonly<ResolvedOptions<RequestLoggerOptions, RequestLoggerDefaults>>

/** @throws {InvalidOption} */
export function resolveRequestLoggerOptions(given: RequestLoggerOptions): RequestRules {
  return resolveOptions<RequestLoggerOptions, RequestLoggerDefaults>('requestLogger', given, {
    checks: {
      logger: (value) => (isAppLogger(value) ? undefined : 'a logger made by createLogger'),
      slowMs: durationMs(),
      sampleRatio: number(0, 1),
      quietPaths: arrayOf((value) =>
        typeof value === 'string' && value.startsWith('/') ? undefined : 'a path that starts with /',
      ),
      headers: arrayOf(oneOf(...loggableHeaders)),
      query: oneOf('omit', 'redact'),
      trace: oneOf('continue', 'restart'),
      fields: func,
    },
    defaults: requestLoggerDefaults,
    required: ['logger'],
  })
}
