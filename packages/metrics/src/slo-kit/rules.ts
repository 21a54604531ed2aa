import { httpCatalogue, packageCatalogue, runtimeCatalogue, selfCatalogue } from '../catalogue.js'
import { type Objective, resolveObjectives } from './objective.js'

/** A rule that is evaluated and stored under a name of its own. */
export interface RecordingRule {
  record: string
  expr: string
  labels?: Record<string, string>
}

/** A rule that tells somebody. */
export interface AlertRule {
  alert: string
  expr: string
  for?: string
  labels: { severity: 'page' | 'ticket' } & Record<string, string>
  annotations: { summary: string; description: string }
}

/** A rule file of Prometheus. */
export interface RuleFile {
  groups: { name: string; rules: (RecordingRule | AlertRule)[] }[]
}

interface BurnRate {
  /** How many times faster than would just last 30 days. */
  factor: number
  long: string
  short: string
  severity: 'page' | 'ticket'
  spent: string
}

/**
 * When a burning budget is worth whom: a long window so that it is no blip, and a short one so that the alert ends soon
 * after the trouble.
 *
 * @see https://sre.google/workbook/alerting-on-slos/
 */
export const burnRates: readonly BurnRate[] = Object.freeze<BurnRate[]>([
  { factor: 14.4, long: '1h', short: '5m', severity: 'page', spent: '2 % of the 30-day budget in an hour' },
  { factor: 6, long: '6h', short: '30m', severity: 'page', spent: '5 % of the 30-day budget in 6 hours' },
  { factor: 3, long: '1d', short: '2h', severity: 'ticket', spent: '10 % of the 30-day budget in a day' },
  { factor: 1, long: '3d', short: '6h', severity: 'ticket', spent: '10 % of the 30-day budget in 3 days' },
])

const windows = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const

/**
 * Recording and alert rules for these objectives, and alerts on what goes wrong in the packages.
 *
 * @param objectives  Default: 99.9 % without a failure, 99 % within half a second
 * @throws {InvalidOption}
 */
export function prometheusRules(objectives?: readonly Objective[]): RuleFile {
  const resolved = resolveObjectives(objectives)
  return {
    groups: [
      { name: 'scale-http', rules: httpRules },
      ...resolved.map((objective) => ({
        name: `scale-slo-${objective.name}`,
        rules: sloRules(objective),
      })),
      { name: 'scale-service', rules: serviceAlerts },
    ],
  }
}

/** The recorded share of bad requests of an objective. */
export function errorRatio(window: string): string {
  return `scale:slo_bad_requests:ratio_rate${window}`
}

const duration = httpCatalogue.duration.name

/** What dashboards draw, evaluated once. */
const httpRules: RecordingRule[] = [
  { record: 'scale:http_requests:rate5m', expr: `sum by (http_route) (rate(${duration}_count[5m]))` },
  ...[0.5, 0.95, 0.99].map((quantile) => ({
    record: 'scale:http_request_duration_seconds:quantile5m',
    labels: { quantile: String(quantile) },
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${duration}_bucket[5m])))`,
  })),
]

type Resolved = ReturnType<typeof resolveObjectives>[number]

function sloRules(objective: Resolved): (RecordingRule | AlertRule)[] {
  const { name: slo, target } = objective
  const budget = rounded(1 - target)
  const labels = { slo }
  const ratio = (window: string): string => `${errorRatio(window)}{slo="${slo}"}`
  return [
    ...windows.map((window) => ({ record: errorRatio(window), expr: badRatio(objective, window), labels })),
    { record: 'scale:slo_target:ratio', expr: `vector(${target})`, labels },
    ...(['page', 'ticket'] as const).map((severity) => alertOf(severity)),
  ]

  function alertOf(severity: 'page' | 'ticket'): AlertRule {
    const rates = burnRates.filter((rate) => rate.severity === severity)
    const conditions = rates.map(
      ({ factor, long, short }) =>
        `(${ratio(long)} > (${factor} * ${budget}) and ${ratio(short)} > (${factor} * ${budget}))`,
    )
    return {
      alert: `ScaleSloBurn${severity === 'page' ? 'Fast' : 'Slow'}`,
      expr: conditions.join('\nor\n'),
      labels: { severity, slo },
      annotations: {
        summary: `The error budget of ${slo} burns ${severity === 'page' ? 'fast' : 'slowly'}.`,
        description: `${promiseOf(objective)}. At this rate: ${rates.map(({ spent }) => spent).join(', or ')}.`,
      },
    }
  }
}

/** Clients that leave are left out: nobody knows what their answer would have been. */
function badRatio({ withinSeconds, selector }: Resolved, window: string): string {
  const left = 'error_type!="client_disconnect"'
  const select = (...more: string[]): string =>
    `{${[selector, ...more].filter((part) => part !== '').join(',')}}`
  const all = `sum(rate(${duration}_count${select(left)}[${window}]))`
  if (withinSeconds === undefined) {
    const failed = `sum(rate(${duration}_count${select('error_type=~"5..|response_cut"')}[${window}]))`
    return `(${failed} or vector(0)) / (${all} > 0)`
  }
  // A whole number is written as `1` or `1.0`, as the format of the scrape wants it.
  const bound = Number.isInteger(withinSeconds) ? `le=~"${withinSeconds}([.]0)?"` : `le="${withinSeconds}"`
  return `1 - sum(rate(${duration}_bucket${select(left, bound)}[${window}])) / (${all} > 0)`
}

function promiseOf({ target, withinSeconds }: Resolved): string {
  const share = `${rounded(target * 100)} % of requests`
  return withinSeconds === undefined
    ? `${share} without a server error`
    : `${share} within ${withinSeconds} s`
}

function rounded(value: number): number {
  return Number(value.toFixed(9))
}

const serviceAlerts: AlertRule[] = [
  {
    alert: 'ScaleWorkersSilent',
    expr: `${selfCatalogue.missing.name} > 0`,
    for: '2m',
    labels: { severity: 'ticket' },
    annotations: {
      summary: 'Workers do not say how they are.',
      description: 'They are stopped, or their event loop is blocked; their requests wait.',
    },
  },
  {
    alert: 'ScaleRedisBreakerOpen',
    expr: `${packageCatalogue.redisBreakersOpen.name} > 0`,
    for: '1m',
    labels: { severity: 'page' },
    annotations: {
      summary: 'Redis does not answer.',
      description:
        'Sessions, quotas and caches do what their onStoreError says, in every process that counts here.',
    },
  },
  {
    alert: 'ScaleWorkersRestarting',
    expr: `increase(${packageCatalogue.clusterRestarts.name}{reason=~"boot|run"}[15m]) > 3`,
    labels: { severity: 'page' },
    annotations: {
      summary: 'Workers end that nobody asked to.',
      description: 'More than three failed in a quarter of an hour. The last lines of their logs say why.',
    },
  },
  {
    alert: 'ScaleEventLoopSlow',
    expr: `histogram_quantile(0.99, sum by (le, instance) (rate(${runtimeCatalogue.loopDelay.name}_bucket[5m]))) > 0.25`,
    for: '5m',
    labels: { severity: 'ticket' },
    annotations: {
      summary: 'The event loop is late.',
      description:
        'One timer in a hundred fires a quarter of a second late: something computes for too long.',
    },
  },
  {
    alert: 'ScaleMetricOverflow',
    expr: `increase(${selfCatalogue.overflow.name}[1h]) > 0`,
    labels: { severity: 'ticket' },
    annotations: {
      summary: 'A metric has too many series.',
      description:
        'New label values of {{ $labels.metric }} share one series. Find the label that has no bound.',
    },
  },
]
