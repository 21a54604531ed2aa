import {
  defaultMetrics,
  httpCatalogue,
  packageCatalogue,
  poolCatalogue,
  runtimeCatalogue,
  selfCatalogue,
} from '../catalogue.js'
import { type Objective, resolveObjectives } from './objective.js'
import { errorRatio } from './rules.js'

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
 * A dashboard for these objectives and for every package. It has no id: Grafana gives it one.
 *
 * @param objectives  Default: 99.9 % without a failure, 99 % within half a second
 * @throws {InvalidOption}
 */
export function grafanaDashboard(objectives?: readonly Objective[]): GrafanaDashboard {
  const panels = drawings(resolveObjectives(objectives)).map(
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
    uid: 'scale-service',
    title: 'Scale service',
    tags: ['scale'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
        {
          name: 'job',
          type: 'query',
          datasource: { type: 'prometheus', uid: '$datasource' },
          query: `label_values(${selfCatalogue.missing.name}, job)`,
          includeAll: true,
          multi: true,
        },
      ],
    },
    panels,
  }
}

function drawings(objectives: ReturnType<typeof resolveObjectives>): Drawing[] {
  const { duration, active, responseSize } = httpCatalogue
  const p = packageCatalogue
  const rate = ({ name }: { name: string }, suffix = '', labels = ''): string =>
    `rate(${name}${suffix}{job=~"$job"${labels === '' ? '' : `,${labels}`}}[$__rate_interval])`
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
        '1 spends the budget of 30 days in 30 days; 14.4 spends 2 % of it in an hour.',
        ...(['5m', '1h', '6h', '3d'].map((window) => [
          `${errorRatio(window)}{slo="${name}"} / ${Number((1 - target).toFixed(9))}`,
          window,
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
      [`sum(${active.name}{job=~"$job"})`, 'requests'],
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
      [`sum(${p.redisBreakersOpen.name}{job=~"$job"})`, 'breakers open'],
    ),
    draw('Failed requests by code', 'reqps', 'See the list of error codes.', [
      `sum by (code) (${rate(p.errorsFailures)})`,
      '{{code}}',
    ]),
    draw(
      'Workers',
      'short',
      'By state; restarts are per second.',
      [`sum by (state) (${p.clusterWorkers.name}{job=~"$job"})`, '{{state}}'],
      [`${selfCatalogue.missing.name}{job=~"$job"}`, 'silent'],
      [`sum by (reason) (${rate(p.clusterRestarts)})`, 'restarts: {{reason}}'],
    ),
    draw('Event loop delay', 's', 'From merged histograms.', ...quantiles(runtimeCatalogue.loopDelay)),
    draw('Event loop utilisation', 'percentunit', 'Of each process.', [
      `${runtimeCatalogue.loopUtilization.name}{job=~"$job"}`,
      'worker {{worker}}',
    ]),
    draw('Memory', 'bytes', 'Resident, of each process.', [
      `${defaultMetrics.residentMemory}{job=~"$job"}`,
      'worker {{worker}}',
    ]),
    draw(
      'Pools',
      'short',
      'Connections and who waits for one.',
      [`sum by (pool) (${poolCatalogue.size.name}{job=~"$job"})`, '{{pool}} open'],
      [`sum by (pool) (${poolCatalogue.waiting.name}{job=~"$job"})`, '{{pool}} waiting'],
    ),
  ]
}
