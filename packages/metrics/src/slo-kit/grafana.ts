import {
  defaultMetrics,
  httpCatalogue,
  packageCatalogue,
  poolCatalogue,
  runtimeCatalogue,
  selfCatalogue,
} from '../catalogue.js'
import { rounded } from './burn.js'
import { resolveSlo, type Slo, type SloOptions } from './objective.js'
import { braces, errorRatio } from './rules.js'

/** A dashboard in the JSON that Grafana imports. */
export interface GrafanaDashboard {
  uid: string
  title: string
  panels: GrafanaPanel[]
  [property: string]: unknown
}

/** One drawing on it. */
export interface GrafanaPanel {
  id: number
  title: string
  type: string
  targets: { refId: string; expr: string; legendFormat: string }[]
  [property: string]: unknown
}

interface Drawing {
  title: string
  unit: string
  description: string
  queries: [expr: string, legend: string][]
}

const WIDTH = 12
const HEIGHT = 8

/**
 * A dashboard for these objectives and for every package: of one service, or of those that are chosen by `job`. It has no id:
 * Grafana gives it one.
 *
 * @throws {InvalidOption}
 */
export function grafanaDashboard(options?: SloOptions): GrafanaDashboard {
  const slo = resolveSlo(options)
  const isOne = slo.service !== ''
  const names = Object.values(slo.labels)
  const panels = drawings(slo, isOne ? slo.service : 'job=~"$job"').map(
    ({ title, unit, description, queries }, index): GrafanaPanel => ({
      id: index + 1,
      title,
      description,
      type: 'timeseries',
      datasource: { type: 'prometheus', uid: '$datasource' },
      gridPos: { x: (index % 2) * WIDTH, y: Math.floor(index / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      targets: queries.map(([expr, legendFormat], query) => ({
        refId: String.fromCharCode('A'.charCodeAt(0) + query),
        expr,
        legendFormat,
      })),
    }),
  )
  return {
    // At most 40 characters of few kinds.
    uid: isOne ? `scale-${names.join('-').replace(/[^\w-]/g, '-')}`.slice(0, 40) : 'scale-service',
    title: isOne ? `Scale service: ${names.join(', ')}` : 'Scale service',
    tags: ['scale'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
        ...(isOne ? [] : [jobVariable]),
      ],
    },
    panels,
  }
}

const jobVariable = {
  name: 'job',
  type: 'query',
  datasource: { type: 'prometheus', uid: '$datasource' },
  query: `label_values(${selfCatalogue.missing.name}, job)`,
  includeAll: true,
  multi: true,
}

/** @param own  which series are drawn, in PromQL */
function drawings({ objectives, by, windowDays }: Slo, own: string): Drawing[] {
  const { duration, active, responseSize } = httpCatalogue
  const p = packageCatalogue
  const rate = ({ name }: { name: string }, suffix = '', labels = ''): string =>
    `rate(${name}${suffix}${braces(own, labels)}[$__rate_interval])`
  const quantile = (q: number, metric: { name: string }, by = 'le'): string =>
    `histogram_quantile(${q}, sum by (${by}) (${rate(metric, '_bucket')}))`
  const quantiles = (metric: { name: string }): [string, string][] =>
    [0.5, 0.95, 0.99].map((q) => [quantile(q, metric), `p${q * 100}`])
  const draw = (
    title: string,
    unit: string,
    description: string,
    ...queries: [string, string][]
  ): Drawing => ({
    title,
    unit,
    description,
    queries,
  })
  return [
    ...objectives.map(({ name, target }) =>
      draw(
        `Budget of ${name}: burn rate`,
        'short',
        `1 spends the budget of ${windowDays} days in ${windowDays} days.`,
        ...(['5m', '1h', '6h', '3d'].map((window) => [
          `${errorRatio(name, window, own)} / ${rounded(1 - target)}`,
          `${by.map((label) => `{{${label}}}`).join(' ')} ${window}`,
        ]) as [string, string][]),
      ),
    ),
    draw('Requests by route', 'reqps', 'An empty route is one that does not exist.', [
      `sum by (http_request_method, http_route) (${rate(duration, '_count')})`,
      '{{http_request_method}} {{http_route}}',
    ]),
    draw('Latency', 's', 'From merged histograms.', ...quantiles(duration)),
    draw('Errors and clients that left', 'reqps', 'By kind.', [
      `sum by (error_type) (${rate(duration, '_count', 'error_type!=""')})`,
      '{{error_type}}',
    ]),
    draw(
      'Under way, and bytes sent',
      'short',
      'Requests without an answer yet; body bytes per second.',
      [`sum(${active.name}{${own}})`, 'requests'],
      [`sum(${rate(responseSize, '_sum')})`, 'bytes/s'],
    ),
    draw('Quotas', 'reqps', 'Decisions by outcome.', [
      `sum by (limiter, outcome) (${rate(p.rateLimitDecisions)})`,
      '{{limiter}} {{outcome}}',
    ]),
    draw('Refusals by policy', 'reqps', 'Which policy refused.', [
      `sum by (limiter, policy) (${rate(p.rateLimitViolations)})`,
      '{{limiter}} {{policy}}',
    ]),
    draw('Cache hit ratio', 'percentunit', 'Stale answers count as hits.', [
      `sum by (cache) (${rate(p.cacheReads, '', 'outcome=~"hit|stale"')}) / sum by (cache) (${rate(p.cacheReads)})`,
      '{{cache}}',
    ]),
    draw('Cache loads p95', 's', 'What a miss costs.', [
      quantile(0.95, p.cacheLoads, 'le, cache'),
      '{{cache}}',
    ]),
    draw(
      'Sessions',
      'ops',
      'Opened, ended and refused.',
      [`sum by (by) (${rate(p.sessionCreated)})`, 'created by {{by}}'],
      [`sum(${rate(p.sessionDestroyed)}) + sum(${rate(p.sessionRevoked)})`, 'ended'],
      [`sum by (reason) (${rate(p.sessionRefused)})`, 'refused: {{reason}}'],
    ),
    draw('Redis', 's', 'Guarded operations.', ...quantiles(p.redisOperation)),
    draw(
      'Redis without an answer',
      'ops',
      'Timeouts, lost connections, an open breaker.',
      [`sum by (outcome) (${rate(p.redisOperation, '_count', 'outcome!="ok"')})`, '{{outcome}}'],
      [`sum(${p.redisBreakersOpen.name}{${own}})`, 'breakers open'],
    ),
    draw('Failed requests by code', 'reqps', 'See the list of error codes.', [
      `sum by (code) (${rate(p.errorsFailures)})`,
      '{{code}}',
    ]),
    draw(
      'Workers',
      'short',
      'By state; restarts are per second.',
      [`sum by (state) (${p.clusterWorkers.name}{${own}})`, '{{state}}'],
      [`${selfCatalogue.missing.name}{${own}}`, 'silent'],
      [`sum by (reason) (${rate(p.clusterRestarts)})`, 'restarts: {{reason}}'],
    ),
    draw('Event loop delay', 's', 'From merged histograms.', ...quantiles(runtimeCatalogue.loopDelay)),
    draw('Event loop utilisation', 'percentunit', 'Of each process.', [
      `${runtimeCatalogue.loopUtilization.name}{${own}}`,
      'worker {{worker}}',
    ]),
    draw('Memory', 'bytes', 'Resident, of each process.', [
      `${defaultMetrics.residentMemory}{${own}}`,
      'worker {{worker}}',
    ]),
    draw(
      'Pools',
      'short',
      'Connections and who waits for one.',
      [`sum by (pool) (${poolCatalogue.size.name}{${own}})`, '{{pool}} open'],
      [`sum by (pool) (${poolCatalogue.waiting.name}{${own}})`, '{{pool}} waiting'],
    ),
  ]
}
