import { InvalidOption, number, object, resolveOptions, string } from '@scale/core'
import { durationBounds } from '../catalogue.js'

/** What a service promises, over 30 days. */
export interface Objective {
  /** Lower case, short: becomes a label. */
  name: string
  /** Share of requests that must be good, above 0 and below 1: 0.999. */
  target: number
  /**
   * With it, a request is good if it was answered within that many seconds; one of the buckets of `httpMetrics`. Without it,
   * if the server did not fail: neither a 5xx nor a response that it cut. Default none
   */
  withinSeconds?: number
  /** Labels that a request must have to count, in PromQL: `http_route=~"/v1/.*"`. Default `''` */
  selector?: string
}

/** A promise most services can make at first: 99.9 % without a failure, 99 % within half a second. */
export const defaultObjectives: readonly Objective[] = Object.freeze([
  { name: 'availability', target: 0.999 },
  { name: 'latency', target: 0.99, withinSeconds: 0.5 },
])

/** @throws {InvalidOption} */
export function resolveObjective(given: Objective): Readonly<Objective & { selector: string }> {
  const objective = resolveOptions('objective', given, {
    checks: {
      name: (value) =>
        /^[a-z][a-z0-9_]{0,31}$/.test(String(value)) ? undefined : 'a short word in lower case',
      target: number(0.5, 0.999_999),
      withinSeconds: number(0, 3_600),
      selector: string(0, 1_024),
    },
    defaults: { selector: '' },
    required: ['name', 'target'],
  })
  if (objective.withinSeconds !== undefined && !durationBounds.includes(objective.withinSeconds)) {
    throw new InvalidOption(`objective: \`withinSeconds\` must be one of ${durationBounds.join(', ')}.`)
  }
  return objective
}

/** @throws {InvalidOption} */
export function resolveObjectives(
  given: readonly Objective[] = defaultObjectives,
): ReturnType<typeof resolveObjective>[] {
  if (!Array.isArray(given) || given.length === 0 || given.some((one) => object(one) !== undefined)) {
    throw new InvalidOption('objectives must be an array of at least one object.')
  }
  const objectives = given.map(resolveObjective)
  if (new Set(objectives.map(({ name }) => name)).size < objectives.length) {
    throw new InvalidOption('objectives must have names of their own.')
  }
  return objectives
}
