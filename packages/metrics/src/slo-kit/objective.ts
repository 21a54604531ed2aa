import { InvalidOption, integer, number, object, resolveOptions, string } from '@scale/core'
import { durationBounds } from '../catalogue.js'
import { type Matcher, parseSelector } from './selector.js'

/** What a service promises. */
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

/** Which service promises what; rules, their tests, the dashboard and the gate are made from it. */
export interface SloOptions {
  /** What is promised. Default: 99.9 % without a failure, 99 % within half a second */
  objectives?: readonly Objective[]
  /**
   * Labels that all series of the service have, and no other: `{ job: 'users' }`. Default none: each `job` of the Prometheus is
   * a service, and has its own budget
   */
  service?: Readonly<Record<string, string>>
  /** For how many days the budget has to last, 7 to 90. Default 30 */
  windowDays?: number
}

/** A promise most services can make at first: 99.9 % without a failure, 99 % within half a second. */
export const defaultObjectives: readonly Objective[] = Object.freeze([
  { name: 'availability', target: 0.999 },
  { name: 'latency', target: 0.99, withinSeconds: 0.5 },
])

/** What the SLO kit does unless told otherwise. */
export const sloDefaults: { readonly objectives: readonly Objective[]; readonly windowDays: number } =
  Object.freeze({
    objectives: defaultObjectives,
    windowDays: 30,
  })

/** An objective with what its selector says. */
export type ResolvedObjective = Readonly<Objective & { selector: string; matchers: readonly Matcher[] }>

/** Everything that is made from. */
export interface Slo {
  objectives: readonly ResolvedObjective[]
  /** Labels that tell services apart. */
  by: readonly string[]
  /** In PromQL without braces; empty if every service is meant. */
  service: string
  /** Labels of a service, as an example where every service is meant. */
  labels: Readonly<Record<string, string>>
  windowDays: number
}

/** @throws {InvalidOption} */
export function resolveSlo(given: SloOptions | undefined): Slo {
  const { objectives, service, windowDays } = resolveOptions<SloOptions, typeof sloDefaults>('slo', given, {
    checks: {
      objectives: (value) =>
        Array.isArray(value) && value.length > 0 && value.every((one) => object(one) === undefined)
          ? undefined
          : 'an array of at least one object',
      service: (value) =>
        object(value) ?? (areLabels(value as object) ? undefined : 'at least one label with its value'),
      windowDays: integer(7, 90),
    },
    defaults: sloDefaults,
  })
  const resolved = objectives.map(resolveObjective)
  if (new Set(resolved.map(({ name }) => name)).size < resolved.length) {
    throw new InvalidOption('slo: objectives must have names of their own.')
  }
  return {
    objectives: resolved,
    by: service === undefined ? ['job'] : Object.keys(service),
    service: selectorOf(service ?? {}),
    labels: service ?? { job: 'a' },
    windowDays,
  }
}

/** Labels that are equal to these values, in PromQL. */
export function selectorOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')
}

function areLabels(labels: object): boolean {
  return Object.keys(labels).length > 0 && Object.entries(labels).every(isLabel)
}

function isLabel([name, value]: [string, unknown]): boolean {
  return /^(?!(?:le|slo|severity|quantile)$)[a-zA-Z_]\w*$/.test(name) && string(1, 256)(value) === undefined
}

function resolveObjective(given: Objective): ResolvedObjective {
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
  const selector = objective.selector.trim().replace(/,$/, '')
  return { ...objective, selector, matchers: parseSelector(selector) }
}
