import { pino, symbols } from 'pino'

/** Fields by their names. */
export type Fields = Record<string, unknown>

/** What a logger writes into every line, as values and by name. */
const bindingsSymbol = Symbol('@scale/logger bindings')

/** Names that are in every line, and whose value the logger alone decides. */
const OWN = new Set(['level', 'time'])

/** Who writes, and of which request: no field of a line or of a child replaces them where they are. */
const IDENTITY = new Set([
  ...['service.name', 'service.version', 'process.pid', 'worker.id'],
  ...['request_id', 'trace_id', 'span_id', 'trace_flags'],
])

interface Bound {
  [bindingsSymbol]?: Fields
}

/** The fields of a logger. */
export function bindingsOf(logger: object): Fields {
  return (logger as Bound)[bindingsSymbol] ?? {}
}

const { setBindings } = pino({ enabled: false })

/** Gives a logger these fields, and no others; pino serialises and redacts them. */
export function bind(logger: object, fields: Fields): void {
  Object.defineProperty(logger, bindingsSymbol, { value: fields, configurable: true })
  ;(logger as Record<symbol, unknown>)[symbols.chindingsSym] = ''
  setBindings.call(logger as never, fields)
}

/** The fields of a logger as pino keeps them: JSON, each with a comma before it. */
export function serializedFields(logger: object): string {
  return String((logger as Record<symbol, unknown>)[symbols.chindingsSym])
}

/**
 * Renames the fields that would be a second value of what the logger writes: `level` becomes `level_`.
 *
 * @param isTaken  names that are in the line already, and win
 */
export function renamed(fields: Fields, isTaken: (name: string) => boolean): Fields {
  const names = Object.keys(fields)
  if (!names.some(isTaken)) return fields
  const others: Fields = {}
  for (const name of names) {
    let free = name
    while (isTaken(free) || (free !== name && free in fields)) free += '_'
    others[free] = fields[name]
  }
  return others
}

/** True for a name whose value a line or a child of this logger does not decide. */
export function isReserved(bindings: Fields, name: string): boolean {
  return OWN.has(name) || (IDENTITY.has(name) && Object.hasOwn(bindings, name))
}

/** The logger for one line: without those of its fields that the line itself has. */
export function withoutFields<Logger extends object>(logger: Logger, fields: Fields): Logger {
  const bindings = bindingsOf(logger)
  let isShadowed = false
  for (const name in fields) isShadowed ||= Object.hasOwn(bindings, name)
  if (!isShadowed) return logger
  const one = Object.create(logger) as Logger
  bind(one, Object.fromEntries(Object.entries(bindings).filter(([name]) => !Object.hasOwn(fields, name))))
  return one
}
