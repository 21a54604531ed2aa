import { InvalidOption, type Schema, type SchemaIssue } from '@scale/core'
import type { ConfigFault } from './errors.js'
import { hasCredentials, isSensitive } from './masked.js'
import type { Given, Variables } from './sources/variables.js'

/** What is asked of variables beside the schema. */
export interface Demands {
  secrets: readonly string[]
  requiredInProduction: readonly string[]
  check: ((given: Variables) => readonly ConfigFault[]) | undefined
}

/** The values that a schema makes of variables, or all that is wrong with them. */
export function validated<Values extends object>(
  schema: Schema<Values>,
  given: Given,
  demands: Demands,
): { values: Readonly<Values> } | { faults: readonly ConfigFault[] } {
  const { variables } = given
  // Without a prototype, which has properties that nobody has set.
  const result = schema['~standard'].validate(Object.assign(Object.create(null), variables))
  if (result instanceof Promise) {
    // Or its rejection would be nobody's.
    result.catch(() => undefined)
    throw new InvalidOption('loadConfig: `schema` must be one that validates without waiting.')
  }
  const faults = [
    ...given.faults,
    ...missing(variables, demands.requiredInProduction),
    ...(demands.check?.(variables) ?? []),
    ...(result.issues ?? []).map((issue) => faultOf(issue, given, demands.secrets)),
  ]
  if (result.issues === undefined && faults.length === 0) {
    return { values: Object.freeze({ ...result.value }) }
  }
  return { faults: firstOfEach(faults) }
}

function missing(variables: Variables, required: readonly string[]): ConfigFault[] {
  if (variables.NODE_ENV !== 'production') return []
  return required
    .filter((name) => !Object.hasOwn(variables, name))
    .map((name) => ({ name, message: 'is missing; in production it has to be set' }))
}

function faultOf(
  { path, message }: SchemaIssue,
  { variables, sources }: Given,
  secrets: readonly string[],
): ConfigFault {
  const [first = '(all of them)'] = path ?? []
  const name = String(typeof first === 'object' ? first.key : first)
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined
  if (path !== undefined && path.length > 0 && value === undefined) return { name, message: 'is missing' }
  const source = sources.get(name)
  const from = source === undefined || source === 'environment' ? '' : ` (from ${source})`
  // Some libraries repeat the value.
  const isSecret = value === undefined || isSensitive(name, secrets) || hasCredentials(value)
  return { name, message: (isSecret ? 'cannot be used' : message.replace(/\s+/g, ' ').slice(0, 200)) + from }
}

/** One sentence a variable is enough; of a file that cannot be read, the variable is not missing as well. */
function firstOfEach(faults: readonly ConfigFault[]): ConfigFault[] {
  const seen = new Set<string>()
  return faults.filter(({ name }) => {
    const isNew = !seen.has(name) && !seen.has(`${name}_FILE`)
    seen.add(name)
    return isNew
  })
}
