import cluster from 'node:cluster'
import { type ChildLoggerOptions, type Logger, type LoggerOptions as PinoOptions, pino, symbols } from 'pino'
import {
  bind,
  bindingsOf,
  type Fields,
  isReserved,
  renamed,
  serializedFields,
  withoutFields,
} from './lines/bindings.js'
import { wantsMetadata } from './lines/destination.js'
import { Folding } from './lines/folding.js'
import { humanLine } from './lines/human.js'
import { LineBuffer } from './lines/line-buffer.js'
import { LineRelay } from './lines/line-relay.js'
import type { LineMetadata } from './lines/line-sink.js'
import { addSerializers, serialized } from './lines/serializers.js'
import { epochTime, isoTime } from './lines/time.js'
import { type LoggerOptions, resolveLoggerOptions } from './options.js'
import { errorFields, isErrorLike } from './redaction/error-fields.js'
import { scrubForeign } from './redaction/redact.js'
import { type SafeFields, safeFields } from './redaction/safe-fields.js'
import { wire } from './wiring.js'

/** A pino logger whose lines are safe, never block, and can be waited for. */
export type AppLogger = Omit<Logger, 'flush' | 'child'> & {
  /** A logger with more fields, made safe like all fields, and with what else pino lets a child have. */
  child(fields: object, options?: ChildLoggerOptions): AppLogger
  /**
   * Resolves when every line so far is with the destination: the last step of a drain.
   *
   * @param options.timeoutMs  how long to wait. Default 3,000
   * @throws {LogStalled} the destination does not take them
   */
  flush(options?: { timeoutMs?: number }): Promise<void>
  /** Writes every line so far before it returns: for the moment before a process dies. Waits at most 500 ms. */
  flushSync(): void
}

const FLUSH_TIMEOUT_MS = 3_000

/** What `log()` falls back to outside requests. */
let latest: AppLogger | undefined

/** The logger that was made last. */
export function latestLogger(): AppLogger | undefined {
  return latest
}

/**
 * Makes the logger of a process: pino, with safe defaults.
 *
 * Secrets are left out of fields, messages and errors; a destination that stalls costs lines, which are counted, and
 * never time or memory. A line has each name once: where a field would decide `level`, `time` or who writes, it is
 * renamed to `level_`.
 *
 * @throws {InvalidOption} an option is unknown or wrong
 * @see docs/concepts/logging.md
 */
export function createLogger(options?: LoggerOptions): AppLogger {
  const settings = resolveLoggerOptions(options)
  const { destination = process.stdout, level, foldAfter, foldWindowMs, redact } = settings
  const safe = safeFields(settings.redactNames)
  const time = settings.time === 'iso' ? isoTime : epochTime
  const render = rendering(settings.format, destination as { isTTY?: boolean })
  const sink = wantsMetadata(destination)
    ? new LineRelay(destination)
    : new LineBuffer(destination, settings.maxBufferBytes, settings.writeAfterMs, (dropped) =>
        render(droppedLine(logger, time(), dropped)),
      )
  const write = (line: string, about: LineMetadata): void => sink.write(render(line), about)
  const folding =
    foldAfter === undefined ? undefined : new Folding(foldAfter, foldWindowMs, (line) => write(line, stream))
  const stream = lineStream((line) => {
    if (folding === undefined) write(line, stream)
    else folding.pass(line, withoutTime(line, time().length))
  })
  const logger = pino(
    {
      level,
      base: null,
      timestamp: time,
      errorKey: 'err',
      serializers: { err: (error: unknown) => error },
      formatters: {
        level: (label) => ({ level: label }),
      },
      ...(redact !== undefined && { redact: redact as PinoOptions['redact'] & object }),
      hooks: {
        logMethod(args, method) {
          const [fields, ...rest] = safeArguments(args, (given) => safe(serialized(this, given)))
          if (typeof fields !== 'object' || fields === null) method.apply(this, [fields, ...rest] as never)
          else {
            const own = distinct(this, fields as Fields, rest.length > 0)
            method.apply(withoutFields(this, own), [own, ...rest] as never)
          }
        },
      },
    },
    stream,
  ) as unknown as AppLogger
  const { child } = logger as unknown as { child: (...args: unknown[]) => Logger }
  wire(logger, { write, time, safe })
  Object.assign(logger, {
    child(this: Logger, fields: object, given?: ChildLoggerOptions) {
      const { serializers, ...others } = given ?? {}
      const made = child.call(this, {}, given === undefined ? undefined : others)
      if (serializers !== undefined) addSerializers(made, serializers)
      const own = distinct(this, safe(serialized(made, fields)), true)
      bind(made, { ...bindingsOf(this), ...own })
      return made
    },
    setBindings(this: Logger, fields: object) {
      bind(this, { ...bindingsOf(this), ...distinct(this, safe(serialized(this, fields)), true) })
    },
    flush: ({ timeoutMs = FLUSH_TIMEOUT_MS } = {}) => {
      folding?.flush()
      return sink.flush(timeoutMs)
    },
    flushSync: () => {
      folding?.flush()
      sink.flushSync()
    },
  })
  const { fields = {} } = settings
  const identity = identityOf(settings)
  bind(logger, identity)
  bind(logger, { ...identity, ...distinct(logger, safe(fields), true) })
  latest = logger
  return logger
}

/** The fields of a line or a child, without those whose value is not theirs to decide. */
function distinct(logger: object, fields: Fields, hasMessage: boolean): Fields {
  const bindings = bindingsOf(logger)
  return renamed(fields, (name) => isReserved(bindings, name) || (hasMessage && name === 'msg'))
}

function droppedLine(
  logger: object,
  time: string,
  { lines, bytes }: { lines: number; bytes: number },
): string {
  const told = { dropped: lines, dropped_bytes: bytes, msg: 'log lines were dropped' }
  const common = serializedFields(withoutFields(logger, told))
  return `{"level":"warn"${time}${common},${JSON.stringify(told).slice(1)}\n`
}

function identityOf({ service, version }: LoggerOptions): Fields {
  return {
    ...(service !== undefined && { 'service.name': service }),
    ...(version !== undefined && { 'service.version': version }),
    'process.pid': process.pid,
    ...(cluster.worker !== undefined && { 'worker.id': cluster.worker.id }),
  }
}

function rendering(
  format: LoggerOptions['format'],
  destination: { isTTY?: boolean },
): (line: string) => string {
  const isTerminal = destination.isTTY === true
  if (format === 'json' || (format === 'auto' && !isTerminal)) return (line) => line
  const isColored = isTerminal && !process.env.NO_COLOR
  return (line) => humanLine(line, isColored)
}

/**
 * What pino takes without looking: messages, and the values of a format. An error alone gives the line its message;
 * that has to be clean too.
 */
function safeArguments(args: readonly unknown[], safe: SafeFields): unknown[] {
  const [first, ...rest] = args
  if (isErrorLike(first)) {
    const err = errorFields(first)
    return rest.length === 0
      ? [{ err }, err.message]
      : [{ err }, ...rest.map((value) => safeArgument(value, safe))]
  }
  if (typeof first === 'string') return args.map((value) => safeArgument(value, safe))
  // Safe here already: pino takes the message of `err` from what it is given.
  const fields = typeof first === 'object' && first !== null ? safe(first) : first
  return [fields, ...rest.map((value) => safeArgument(value, safe))]
}

function safeArgument(value: unknown, safe: SafeFields): unknown {
  if (typeof value === 'string') return scrubForeign(value)
  if (isErrorLike(value)) return scrubForeign(String((value as Error).message))
  return typeof value === 'object' && value !== null ? safe(value) : value
}

/** What pino writes into, and tells about each line. */
function lineStream(write: (line: string) => void): LineMetadata & { write(line: string): void } {
  return Object.assign(
    { lastLevel: 0, lastObj: {}, lastMsg: undefined, lastTime: '', lastLogger: {}, write },
    { [symbols.needsMetadataGsym]: true },
  )
}

/** What makes a line the same as another. */
function withoutTime(line: string, timeLength: number): string {
  const levelEnd = line.indexOf('"', '{"level":"'.length) + 1
  return line.slice(0, levelEnd) + line.slice(levelEnd + timeLength)
}
