import { symbols } from 'pino'
import type { LineBuffer } from './line-buffer.js'
import type { SafeFields } from './safe-fields.js'

/** What the parts of this package need of a logger that it made. */
export interface Wiring {
  /** Takes whole lines, past pino. */
  write(line: string): void
  /** `,"time":…` */
  time(): string
  safe: SafeFields
  buffer: LineBuffer
}

const wiring = Symbol('@scale/logger')

/** Children find it by their prototype. */
export function wire(logger: object, own: Wiring): void {
  Object.defineProperty(logger, wiring, { value: own })
}

export function wiringOf(logger: object): Wiring {
  return (logger as { [wiring]: Wiring })[wiring]
}

export function isAppLogger(value: unknown): boolean {
  return typeof value === 'object' && value !== null && wiring in value
}

/** The fields of a logger as pino keeps them: JSON, each with a comma before it. */
export function serializedFields(logger: object): string {
  return String((logger as Record<symbol, unknown>)[symbols.chindingsSym])
}
