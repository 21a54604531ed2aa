import type { LineMetadata } from './lines/line-sink.js'
import type { SafeFields } from './redaction/safe-fields.js'

/** What the parts of this package need of a logger that it made. */
export interface Wiring {
  /** Takes whole lines, past pino. */
  write(line: string, about: LineMetadata): void
  /** `,"time":…` */
  time(): string
  safe: SafeFields
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
