import { InvalidOption, resolveOptions, type Schema, standardSchema } from '@scale/core'
import { reloadChannel } from './channels.js'
import { InvalidConfig } from './errors.js'
import { type ConfigOptions, configChecks, configDefaults } from './options.js'
import { watchFiles } from './sources/file-watch.js'
import { givenVariables, secretPaths, withSecrets } from './sources/variables.js'
import { configTable } from './table.js'
import { validated } from './validation.js'

/** What has changed. */
export interface Reload<Values> {
  values: Readonly<Values>
  previous: Readonly<Values>
  /** Names of the variables whose text is another now. */
  changed: readonly string[]
}

/** What a process was told, checked. */
export interface Config<Values> {
  /** What the schema made of the variables, frozen; after a reload, another object. */
  readonly values: Readonly<Values>
  /** Every variable with its value and where it was set, secrets masked: for a person who starts the process. */
  table(): string
  /**
   * Hears of files of secrets that have changed to something that the schema takes; anything else is told on
   * `scale:config:reload` and changes nothing. Files are looked at while there is a listener, which keeps no process running.
   *
   * @returns a function that ends it
   */
  onReload(listener: (reload: Reload<Values>) => unknown): () => void
}

/**
 * Reads the configuration of a process, once and completely.
 *
 * @param schema   any Standard Schema of an object whose names are those of the variables; every value it is given is a string
 * @throws {InvalidConfig} something is missing or cannot be used; with `onInvalid: 'exit'` the process ends with 78 instead
 */
export function loadConfig<Values extends object>(
  schema: Schema<Values>,
  options?: ConfigOptions<keyof Values & string>,
): Config<Values> {
  const { env, envFile, secrets, requiredInProduction, check, onInvalid, reloadCheckMs } = resolveOptions(
    'loadConfig',
    options as ConfigOptions | undefined,
    { checks: configChecks, defaults: configDefaults },
  )
  const wanted = standardSchema(schema)
  if (wanted !== undefined) throw new InvalidOption(`loadConfig: \`schema\` must be ${wanted}.`)
  const base = givenVariables(env ?? process.env, envFile)
  const paths = secretPaths(base, secrets)
  const demands = { secrets, requiredInProduction, check }
  let given = withSecrets(base, paths)
  let values = valuesOrEnd()
  const listeners = new Set<(reload: Reload<Values>) => unknown>()
  let stopWatching: (() => void) | undefined

  function valuesOrEnd(): Readonly<Values> {
    const result = validated(schema, given, demands)
    if ('values' in result) return result.values
    const error = new InvalidConfig(result.faults)
    if (onInvalid === 'throw') throw error
    process.stderr.write(`${error.message}\n`)
    return process.exit(error.exitCode)
  }

  async function reload(): Promise<void> {
    const next = withSecrets(base, paths)
    const changed = [...paths.keys()].filter((name) => next.variables[name] !== given.variables[name])
    if (changed.length === 0) return
    let result: ReturnType<typeof validated<Values>>
    try {
      result = validated(schema, next, demands)
    } catch (error) {
      return reloadChannel.publish({ outcome: 'invalid', changed, error })
    }
    if ('faults' in result) {
      return reloadChannel.publish({ outcome: 'invalid', changed, error: new InvalidConfig(result.faults) })
    }
    const previous = values
    given = next
    values = result.values
    const told = await Promise.allSettled(
      [...listeners].map(async (listener) => listener({ values, previous, changed })),
    )
    const failed = told.find((one) => one.status === 'rejected')
    reloadChannel.publish({ outcome: failed ? 'failed' : 'ok', changed, error: failed?.reason })
  }

  return {
    get values() {
      return values
    },
    table: () => configTable(values as Record<string, unknown>, given, secrets),
    onReload(listener) {
      listeners.add(listener)
      stopWatching ??= watchFiles([...paths.values()], reloadCheckMs, reload)
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        stopWatching?.()
        stopWatching = undefined
      }
    },
  }
}
