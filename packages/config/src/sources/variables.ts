import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { ConfigFault } from '../errors.js'
import { readSecret } from './secret-file.js'

/** Variables that are set, by name. An empty one counts as not set. */
export type Variables = Readonly<Record<string, string>>

/** What a process was told, and by whom. */
export interface Given {
  readonly variables: Variables
  /** `environment`, or a path; what is not in it was not set. */
  readonly sources: ReadonlyMap<string, string>
  readonly faults: readonly ConfigFault[]
}

/** The environment, and in development what it does not have from a file. */
export function givenVariables(
  env: Readonly<Record<string, string | undefined>>,
  envFile: string | false,
): Given {
  const faults: ConfigFault[] = []
  const isDevelopment = (env.NODE_ENV || 'development') === 'development'
  const inFile = envFile === false || !isDevelopment ? {} : parseEnvFile(envFile)
  if (inFile.NODE_ENV !== undefined && inFile.NODE_ENV !== (env.NODE_ENV || 'development')) {
    // It would say that it should not have been read, and to some packages only.
    faults.push({ name: 'NODE_ENV', message: `cannot be set by ${envFile}, which is read in development` })
  }
  const variables: [string, string][] = []
  const sources = new Map<string, string>()
  for (const [source, all] of [
    ['environment', env],
    [String(envFile), inFile],
  ] as const) {
    for (const [name, value] of Object.entries(all)) {
      if (value === undefined || value === '' || sources.has(name)) continue
      sources.set(name, source)
      variables.push([name, value])
    }
  }
  return { variables: Object.fromEntries(variables), sources, faults }
}

function parseEnvFile(path: string): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/** The paths that `NAME_FILE` gives for secrets, by name of the secret. */
export function secretPaths({ variables }: Given, secrets: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    secrets.flatMap((name) => {
      const path = Object.hasOwn(variables, `${name}_FILE`) ? variables[`${name}_FILE`] : undefined
      return path === undefined ? [] : [[name, path]]
    }),
  )
}

/** Adds what the files of secrets have, as they are now. */
export function withSecrets(given: Given, paths: ReadonlyMap<string, string>): Given {
  const variables = { ...given.variables }
  const sources = new Map(given.sources)
  const faults = [...given.faults]
  for (const [name, path] of paths) {
    if (sources.has(name)) {
      faults.push({ name, message: `is set, and ${name}_FILE as well: one of them has to go` })
      continue
    }
    try {
      variables[name] = readSecret(path)
      sources.set(name, path)
    } catch (error) {
      faults.push({ name: `${name}_FILE`, message: (error as Error).message })
    }
  }
  return { variables, sources, faults }
}
