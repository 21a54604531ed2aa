import { InvalidOption } from '@scale/core'
import { httpCatalogue, packageCatalogue, runtimeCatalogue, selfCatalogue } from '../catalogue.js'
import { burnFactor, burns, rounded, threshold, windows } from './burn.js'
import { type ResolvedObjective, resolveSlo, type Slo, type SloOptions } from './objective.js'

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

/**
 * Recording and alert rules for these objectives, and alerts on what goes wrong in the packages; each service by itself.
 *
 * @throws {InvalidOption}
 */
export function prometheusRules(options?: SloOptions): RuleFile {
  const slo = resolveSlo(options)
  return {
    groups: [
      { name: 'scale-http', rules: httpRules(slo) },
      ...slo.objectives.map((objective) => ({
        name: `scale-slo-${objective.name}`,
        rules: sloRules(objective, slo),
      })),
      { name: 'scale-service', rules: serviceAlerts(slo) },
    ],
  }
}

/** The rules as what the Prometheus operator reads. */
export interface RuleResource {
  apiVersion: 'monitoring.coreos.com/v1'
  kind: 'PrometheusRule'
  metadata: RuleResourceMetadata
  spec: RuleFile
}

/** What the resource is called, and the labels by which a Prometheus finds it. */
export interface RuleResourceMetadata {
  name: string
  namespace?: string
  labels?: Readonly<Record<string, string>>
}

/**
 * The same rules as a `PrometheusRule` of the Prometheus operator.
 *
 * @throws {InvalidOption}
 */
export function prometheusRuleResource(metadata: RuleResourceMetadata, options?: SloOptions): RuleResource {
  if (!/^(?=.{1,253}$)[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(metadata.name)) {
    throw new InvalidOption('prometheusRuleResource: `name` must be small letters, digits, `-` and `.`.')
  }
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata,
    spec: prometheusRules(options),
  }
}

/** The recorded share of bad requests of an objective. */
export function errorRatio(name: string, window: string, service: string): string {
  return `scale:slo_bad_requests:ratio_rate${window}${braces(`slo="${name}"`, service)}`
}

/** Selectors of PromQL, together. */
export function braces(...parts: readonly string[]): string {
  const told = parts.filter((part) => part !== '')
  return told.length === 0 ? '' : `{${told.join(',')}}`
}

const duration = httpCatalogue.duration.name

/** What dashboards draw, evaluated once. */
function httpRules({ by, service }: Slo): RecordingRule[] {
  const rate = (suffix: string): string => `rate(${duration}_${suffix}${braces(service)}[5m])`
  return [
    {
      record: 'scale:http_requests:rate5m',
      expr: `sum by (${[...by, 'http_route'].join(', ')}) (${rate('count')})`,
    },
    ...[0.5, 0.95, 0.99].map((quantile) => ({
      record: 'scale:http_request_duration_seconds:quantile5m',
      labels: { quantile: String(quantile) },
      expr: `histogram_quantile(${quantile}, sum by (${[...by, 'le'].join(', ')}) (${rate('bucket')}))`,
    })),
  ]
}

function sloRules(objective: ResolvedObjective, slo: Slo): (RecordingRule | AlertRule)[] {
  const { name } = objective
  return [
    ...windows.map((window) => ({
      record: `scale:slo_bad_requests:ratio_rate${window}`,
      expr: badRatio(objective, slo, window),
      labels: { slo: name },
    })),
    {
      record: 'scale:slo_target:ratio',
      expr: `vector(${objective.target})`,
      labels: { slo: name, ...serviceLabels(slo) },
    },
    ...(['page', 'ticket'] as const).map((severity) => burnAlert(objective, slo, severity)),
  ]
}

function burnAlert(objective: ResolvedObjective, slo: Slo, severity: 'page' | 'ticket'): AlertRule {
  const { name } = objective
  const own = burns.filter((burn) => burn.severity === severity)
  const burnsAt = (burn: (typeof own)[number], window: string): string =>
    `${errorRatio(name, window, slo.service)} > ${threshold(burn, objective, slo)}`
  const spent = own.map((burn) => {
    const share = rounded((burnFactor(burn, slo) * burn.hours * 100) / (24 * slo.windowDays))
    return `${Math.round(share * 10) / 10} % of the ${slo.windowDays}-day budget in ${burn.long}`
  })
  return {
    alert: `ScaleSloBurn${severity === 'page' ? 'Fast' : 'Slow'}`,
    expr: own.map((burn) => `(${burnsAt(burn, burn.long)} and ${burnsAt(burn, burn.short)})`).join('\nor\n'),
    labels: { severity, slo: name },
    annotations: {
      summary: `The error budget of ${name} burns ${severity === 'page' ? 'fast' : 'slowly'}.`,
      description: `${promiseOf(objective)}. At this rate: ${spent.join(', or ')}.`,
    },
  }
}

/** The share of bad requests over a window. Clients that leave are left out: nobody knows what their answer would have been. */
export function badRatio(
  { withinSeconds, selector }: ResolvedObjective,
  { by, service }: Slo,
  window: string,
): string {
  const left = 'error_type!="client_disconnect"'
  const rate = (suffix: string, ...more: string[]): string =>
    `sum by (${by.join(', ')}) (rate(${duration}_${suffix}${braces(service, selector, ...more)}[${window}]))`
  const all = rate('count', left)
  if (withinSeconds === undefined) {
    return `(${rate('count', 'error_type=~"5..|response_cut"')} or ${all} * 0) / (${all} > 0)`
  }
  // A whole number is written as `1` or `1.0`, as the format of the scrape wants it.
  const bound = Number.isInteger(withinSeconds) ? `le=~"${withinSeconds}([.]0)?"` : `le="${withinSeconds}"`
  return `1 - ${rate('bucket', left, bound)} / (${all} > 0)`
}

/** What is promised, in words. */
export function promiseOf({ target, withinSeconds }: ResolvedObjective): string {
  const share = `${rounded(target * 100)} % of requests`
  return withinSeconds === undefined
    ? `${share} without a server error`
    : `${share} within ${withinSeconds} s`
}

function serviceLabels({ service, labels }: Slo): Readonly<Record<string, string>> {
  return service === '' ? {} : labels
}

function serviceAlerts({ by, service }: Slo): AlertRule[] {
  const own = braces(service)
  return [
    {
      alert: 'ScaleWorkersSilent',
      expr: `${selfCatalogue.missing.name}${own} > 0`,
      for: '2m',
      labels: { severity: 'ticket' },
      annotations: {
        summary: 'Workers do not say how they are.',
        description: 'They are stopped, or their event loop is blocked; their requests wait.',
      },
    },
    {
      alert: 'ScaleRedisBreakerOpen',
      expr: `${packageCatalogue.redisBreakersOpen.name}${own} > 0`,
      for: '1m',
      labels: { severity: 'page' },
      annotations: {
        summary: 'Redis does not answer.',
        description:
          'Sessions, quotas and caches do what their onStoreError says, in every process that counts here.',
      },
    },
    {
      alert: 'ScaleRedisRefusing',
      expr: `sum by (${[...by, 'operation'].join(', ')}) (rate(${packageCatalogue.redisOperation.name}_count${braces(service, 'outcome=~"refused|denied"')}[5m])) > 0`,
      for: '1m',
      labels: { severity: 'page' },
      annotations: {
        summary: 'Redis answers, and refuses.',
        description:
          'It has no memory left, is a replica, or its user may not run {{ $labels.operation }}: docs/troubleshooting.md.',
      },
    },
    {
      alert: 'ScaleQuotaNotShared',
      expr: `sum by (${[...by, 'limiter'].join(', ')}) (rate(${packageCatalogue.rateLimitStoreErrors.name}${braces(service, 'operation!="lookup"')}[5m])) > 0`,
      for: '1m',
      labels: { severity: 'ticket' },
      annotations: {
        summary: 'A limiter is without its store.',
        description:
          'The limiter {{ $labels.limiter }} does what its onStoreError says: docs/troubleshooting.md.',
      },
    },
    {
      alert: 'ScaleCacheOff',
      expr: `sum by (${[...by, 'cache'].join(', ')}) (rate(${packageCatalogue.cacheStoreErrors.name}${own}[5m])) > 0`,
      for: '1m',
      labels: { severity: 'ticket' },
      annotations: {
        summary: 'A cache is without Redis.',
        description:
          'What {{ $labels.cache }} does not have in the process is loaded anew: docs/troubleshooting.md.',
      },
    },
    {
      alert: 'ScaleWorkersRestarting',
      expr: `increase(${packageCatalogue.clusterRestarts.name}${braces(service, 'reason=~"boot|run"')}[15m]) > 3`,
      labels: { severity: 'page' },
      annotations: {
        summary: 'Workers end that nobody asked to.',
        description: 'More than three failed in a quarter of an hour. The last lines of their logs say why.',
      },
    },
    {
      alert: 'ScaleEventLoopSlow',
      expr: `histogram_quantile(0.99, sum by (${[...by, 'instance', 'le'].join(', ')}) (rate(${runtimeCatalogue.loopDelay.name}_bucket${own}[5m]))) > 0.25`,
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
      expr: `increase(${selfCatalogue.overflow.name}${own}[1h]) > 0`,
      labels: { severity: 'ticket' },
      annotations: {
        summary: 'A metric has too many series.',
        description:
          'New label values of {{ $labels.metric }} share one series. Find the label that has no bound.',
      },
    },
  ]
}
