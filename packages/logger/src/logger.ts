import cluster from 'node:cluster'
import { type Logger, pino, symbols } from 'pino'
import { errorFields, isErrorLike } from './error-fields.js'
import { Folding } from './folding.js'
import { humanLine } from './human.js'
import { LineBuffer } from './line-buffer.js'
import { type LoggerOptions, resolveLoggerOptions } from './options.js'
import { scrubForeign } from './redact.js'
import { type SafeFields, safeFields } from './safe-fields.js'
import { epochTime, isoTime } from './time.js'
import { serializedFields, wire } from './wiring.js'

/** A pino logger whose lines are safe, never block, and can be waited for. */
export type AppLogger = Omit<Logger, 'flush' | 'child'> & {
  /** A logger with more fields; made safe like all fields. */
  child(fields: object): AppLogger
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
 * never time or memory; lines that repeat are folded.
 *
 * @throws {InvalidOption} an option is unknown or wrong
 * @see docs/concepts/logging.md
 */
export function createLogger(options?: LoggerOptions): AppLogger {
  const settings = resolveLoggerOptions(options)
  const { destination = process.stdout, level, foldAfter, foldWindowMs } = settings
  const safe = safeFields(settings.redactNames)
  const time = settings.time === 'iso' ? isoTime : epochTime
  const render = rendering(settings.format, destination as { isTTY?: boolean })
  const buffer = new LineBuffer(
    destination,
    settings.maxBufferBytes,
    settings.writeAfterMs,
    ({ lines, bytes }) =>
      render(
        `{"level":"warn"${time()}${serializedFields(logger)},"dropped":${lines},"dropped_bytes":${bytes},"msg":"log lines were dropped"}\n`,
      ),
  )
  const write = (line: string): void => buffer.write(render(line))
  const folding = new Folding(foldAfter, foldWindowMs, write)
  const logger = pino(
    {
      level,
      base: safe(baseFields(settings)),
      timestamp: time,
      errorKey: 'err',
      serializers: { err: (error: unknown) => error },
      formatters: {
        level: (label) => ({ level: label }),
      },
      hooks: {
        logMethod(args, method) {
          method.apply(this, safeArguments(args, safe) as Parameters<typeof method>)
        },
      },
    },
    foldingStream(folding, time().length),
  ) as unknown as AppLogger
  const { child } = logger
  wire(logger, { write, time, safe, buffer })
  Object.assign(logger, {
    child(this: AppLogger, fields: object) {
      return child.call(this, safe(fields))
    },
    flush: ({ timeoutMs = FLUSH_TIMEOUT_MS } = {}) => {
      folding.flush()
      return buffer.flush(timeoutMs)
    },
    flushSync: () => {
      folding.flush()
      buffer.flushSync()
    },
  })
  latest = logger
  return logger
}

function baseFields({ service, version, fields }: LoggerOptions): object {
  return {
    ...(service !== undefined && { 'service.name': service }),
    ...(version !== undefined && { 'service.version': version }),
    'process.pid': process.pid,
    ...(cluster.worker !== undefined && { 'worker.id': cluster.worker.id }),
    ...fields,
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

/** What pino writes into. Lines are the same if they differ only in time and in the fields of their logger. */
function foldingStream(folding: Folding, timeLength: number): { write(line: string): void } {
  const stream = {
    [symbols.needsMetadataGsym]: true,
    /** Set by pino before each write. */
    lastLogger: {} as object,
    write(line: string): void {
      const levelEnd = line.indexOf('"', '{"level":"'.length) + 1
      const rest = levelEnd + timeLength + serializedFields(stream.lastLogger).length
      folding.pass(line, line.slice(0, levelEnd) + line.slice(rest))
    },
  }
  return stream
}
