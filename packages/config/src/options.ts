import { arrayOf, durationMs, func, type OptionChecks, object, oneOf, string } from '@scale/core'
import type { ConfigFault } from './errors.js'
import type { Variables } from './sources/variables.js'

/** Options of `loadConfig`. */
export interface ConfigOptions<Name extends string = string> {
  /** Where variables are looked for first. Default `process.env` */
  env?: Readonly<Record<string, string | undefined>>
  /** A file of variables, read in development only, for those that `env` does not have; false for none. Default `.env` */
  envFile?: string | false
  /** Names that may come in a file, named by `NAME_FILE`, that are never shown, and that are read again when the file changes. Default `[]` */
  secrets?: readonly Name[]
  /** Names without which a process does not start in production, whatever their default. Default `[]` */
  requiredInProduction?: readonly Name[]
  /** Says what else is wrong with the variables that are set, beside what the schema says. Default none */
  check?: (given: Variables) => readonly ConfigFault[]
  /** `throw`: an `InvalidConfig`; `exit`: its message to stderr, and exit code 78. Default `throw` */
  onInvalid?: 'throw' | 'exit'
  /** How often files of secrets are looked at while somebody listens for changes. Default 5,000 */
  reloadCheckMs?: number
}

export interface ConfigDefaults {
  readonly envFile: '.env'
  readonly secrets: readonly never[]
  readonly requiredInProduction: readonly never[]
  readonly onInvalid: 'throw'
  readonly reloadCheckMs: 5_000
}

export const configDefaults: ConfigDefaults = Object.freeze({
  envFile: '.env',
  secrets: Object.freeze([]),
  requiredInProduction: Object.freeze([]),
  onInvalid: 'throw',
  reloadCheckMs: 5_000,
})

export const configChecks: OptionChecks<ConfigOptions> = {
  env: object,
  envFile: (value) =>
    value === false || string(1, 4_096)(value) === undefined ? undefined : 'a path or false',
  secrets: arrayOf(string(1, 256)),
  requiredInProduction: arrayOf(string(1, 256)),
  check: func,
  onInvalid: oneOf('throw', 'exit'),
  reloadCheckMs: durationMs(10, 86_400_000),
}
