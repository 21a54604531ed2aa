import { ScaleError } from '@scale/core'

/** What is wrong with one variable. Never repeats a value that may be secret. */
export interface ConfigFault {
  /** Of the variable, or of the file that was to be read. */
  name: string
  message: string
}

/** One or more variables are missing, or have values that cannot be used. Its message lists all of them. */
export class InvalidConfig extends ScaleError {
  readonly faults: readonly ConfigFault[]
  /** `EX_CONFIG` of sysexits.h: a supervisor need not try again. `runCluster` ends the process with it. */
  readonly exitCode: number = 78

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ name, message }) => `\n  ${name}: ${message}`)
    super(`The configuration cannot be used:${lines.join('')}`, { code: 'ERR_SCALE_INVALID_CONFIG' })
    this.faults = faults
  }
}
