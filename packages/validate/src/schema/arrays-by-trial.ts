import { repeatedFault } from '../request/fault.js'
import type { Schema, SchemaResult } from './schema.js'

/** Members as they came, of which nobody says whether a string is meant as an array. */
export class Tentative {
  /**
   * @param received    each member as a string, or as an array where it can be nothing else
   * @param lists       all values of those that came more than once
   * @param isRefused   true if those of them are refused that turn out to be no arrays
   */
  constructor(
    readonly received: Readonly<Record<string, unknown>>,
    readonly lists: ReadonlyMap<string, readonly string[]> = new Map(),
    readonly isRefused: boolean = false,
  ) {}

  settle(schema: Schema): Trial {
    const trial = arraysByTrial(schema, this.received, this.lists)
    if (!this.isRefused) return trial
    const members = trial.received as Readonly<Record<string, unknown>>
    const repeated = [...this.lists.keys()].filter((name) => !Array.isArray(members[name]))
    if (repeated.length === 0) return trial
    const fault = repeatedFault(repeated)
    return { received: fault, result: fault }
  }
}

/** What a schema was given in the end, and what it said of that. */
export interface Trial {
  received: object
  result: SchemaResult | Promise<SchemaResult>
}

/**
 * Finds out which strings a schema would take as arrays, for a library that has no JSON Schema to say so (valibot, zod mini):
 * where it refuses a member itself as a string, it is asked once more with a list, and the list stays unless the
 * member itself is refused again. What it takes as a string stays one.
 *
 * The schema is asked up to three times, and once if it takes all at first or is async.
 *
 * @param lists  all values of members that came more than once, of which `received` has the first
 */
function arraysByTrial(
  schema: Schema,
  received: Readonly<Record<string, unknown>>,
  lists: ReadonlyMap<string, readonly string[]>,
): Trial {
  const first = schema['~standard'].validate(received)
  const refused = refusedIn(received, first)
  if (refused.length === 0) return { received, result: first }
  const second = schema['~standard'].validate(listed(refused))
  const stillRefused = new Set(refusedIn(received, second))
  const arrays = second instanceof Promise ? [] : refused.filter((name) => !stillRefused.has(name))
  if (arrays.length === 0) return { received, result: first }
  const changed = listed(arrays)
  const result = arrays.length === refused.length ? second : schema['~standard'].validate(changed)
  return { received: changed, result }

  function listed(names: readonly string[]): Record<string, unknown> {
    const copy: Record<string, unknown> = Object.assign(Object.create(null), received)
    for (const name of names) copy[name] = lists.get(name) ?? [received[name]]
    return copy
  }
}

/** The members that are strings, and are refused themselves: not a part of them. */
function refusedIn(
  received: Readonly<Record<string, unknown>>,
  result: SchemaResult | Promise<SchemaResult>,
): string[] {
  if (result instanceof Promise) {
    result.catch(() => {})
    return []
  }
  const names = (result.issues ?? []).flatMap(({ path }) => {
    const [segment] = path ?? []
    return path?.length === 1 ? [typeof segment === 'object' ? segment.key : segment!] : []
  })
  return [...new Set(names)].filter(
    (name): name is string => typeof name === 'string' && typeof received[name] === 'string',
  )
}
