import {
  defaultMetrics,
  httpCatalogue,
  legacyCatalogue,
  packageCatalogue,
  runtimeCatalogue,
} from '../catalogue.js'
import type { Gathered } from '../fleet/primary.js'
import type { FamilySnapshot, SeriesSnapshot } from '../series/snapshot.js'

/** Observations per bucket, the last above every bound; what percentiles are read from. */
export interface Distribution {
  bounds: readonly number[]
  counts: number[]
}

/** What one process says of itself. */
export interface WorkerSummary {
  worker: string
  /** Not a number where nobody collects prom-client's default metrics. */
  residentBytes: number
  heapBytes: number
  loopUtilization: number
  /** Epoch ms. */
  startedAt: number
}

/** One route and method, all statuses together. */
export interface RouteSummary {
  method: string
  route: string
  requests: number
  errors: number
  latency: Distribution
}

/** Everything that the page draws; counts since the start of the service. */
export interface Summary extends Totals {
  workers: { reporting: number; missing: number; each: WorkerSummary[] }
  routes: RouteSummary[]
}

/** What is drawn over time. */
export interface Totals {
  /** Epoch ms. */
  at: number
  requests: { total: number; errors: number; disconnects: number; active: number }
  latency: Distribution
  quotas: { allowed: number; refused: number }
  cache: { hits: number; stale: number; misses: number }
  sessions: { created: number; ended: number; refused: number }
  loopDelay: Distribution
  store: { operations: number; failures: number; breakersOpen: number; latency: Distribution }
}

const MAX_ROUTES = 25

/** @param now  epoch ms */
export function summarise({ families, workers, missing }: Gathered, now: number): Summary {
  const byName = new Map(families.map((family) => [family.name, family]))
  const find = ({ name }: { name: string }): FamilySnapshot | undefined => byName.get(name)
  const requests = requestSeries(find(httpCatalogue.duration), find(legacyCatalogue.duration))
  const operations = find(packageCatalogue.redisOperation)
  const total = (definition: { name: string }, labels: Record<string, string> = {}): number =>
    sum(matching(find(definition), labels).map(({ values }) => values[0]!))
  return {
    at: now,
    workers: { reporting: workers, missing, each: eachWorker(find) },
    requests: {
      total: sum(requests.map(({ series }) => countOf(series))),
      errors: sum(requests.filter(({ isError }) => isError).map(({ series }) => countOf(series))),
      disconnects: sum(requests.filter(({ hasLeft }) => hasLeft).map(({ series }) => countOf(series))),
      active: total(httpCatalogue.active),
    },
    latency: distribution(
      requests.map(({ series }) => series),
      requests[0]?.bounds,
    ),
    routes: routesOf(requests),
    quotas: {
      allowed: total(packageCatalogue.rateLimitDecisions, { outcome: 'allowed' }),
      refused: total(packageCatalogue.rateLimitDecisions, { outcome: 'refused' }),
    },
    cache: {
      hits: total(packageCatalogue.cacheReads, { outcome: 'hit' }),
      stale: total(packageCatalogue.cacheReads, { outcome: 'stale' }),
      misses: total(packageCatalogue.cacheReads, { outcome: 'miss' }),
    },
    sessions: {
      created: total(packageCatalogue.sessionCreated),
      ended: total(packageCatalogue.sessionDestroyed) + total(packageCatalogue.sessionRevoked),
      refused: total(packageCatalogue.sessionRefused),
    },
    loopDelay: distribution(
      matching(find(runtimeCatalogue.loopDelay), {}),
      find(runtimeCatalogue.loopDelay)?.bounds,
    ),
    store: {
      operations: sum(matching(operations, {}).map(countOf)),
      failures: sum(matching(operations, {}).filter(isStoreFailure).map(countOf)),
      breakersOpen: total(packageCatalogue.redisBreakersOpen),
      latency: distribution(matching(operations, {}), operations?.bounds),
    },
  }
}

/** A series of the request duration, under either naming scheme. */
interface RequestSeries {
  series: SeriesSnapshot
  bounds: readonly number[]
  method: string
  route: string
  isError: boolean
  hasLeft: boolean
}

function requestSeries(
  otel: FamilySnapshot | undefined,
  legacy: FamilySnapshot | undefined,
): RequestSeries[] {
  // An app that moves from one scheme to the other measures each request twice.
  const family = otel ?? legacy
  return (family?.series ?? []).map((series) => {
    const { labels } = series
    const status = labels.http_response_status_code ?? labels.status_code ?? ''
    return {
      series,
      bounds: family!.bounds,
      method: labels.http_request_method ?? labels.method ?? '',
      route: labels.http_route ?? labels.path ?? '',
      isError: status.startsWith('5') || labels.error_type === 'response_cut',
      hasLeft: status === '499' || labels.error_type === 'client_disconnect',
    }
  })
}

function routesOf(requests: RequestSeries[]): RouteSummary[] {
  const groups = new Map<string, RequestSeries[]>()
  for (const one of requests) {
    const key = `${one.method} ${one.route}`
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  return [...groups.values()]
    .map((group) => ({
      method: group[0]!.method,
      route: group[0]!.route,
      requests: sum(group.map(({ series }) => countOf(series))),
      errors: sum(group.filter(({ isError }) => isError).map(({ series }) => countOf(series))),
      latency: distribution(
        group.map(({ series }) => series),
        group[0]!.bounds,
      ),
    }))
    .sort((a, b) => b.requests - a.requests)
    .slice(0, MAX_ROUTES)
}

function eachWorker(find: (definition: { name: string }) => FamilySnapshot | undefined): WorkerSummary[] {
  const of = (name: string, worker: string): number =>
    matching(find({ name }), { worker })[0]?.values[0] ?? Number.NaN
  return (find(runtimeCatalogue.loopUtilization)?.series ?? []).map(({ labels, values }) => {
    const worker = labels.worker ?? ''
    return {
      worker,
      residentBytes: of(defaultMetrics.residentMemory, worker),
      heapBytes: of(defaultMetrics.heapUsed, worker),
      loopUtilization: values[0]!,
      startedAt: of(defaultMetrics.startTime, worker) * 1_000,
    }
  })
}

function isStoreFailure({ labels: { outcome } }: SeriesSnapshot): boolean {
  return outcome !== 'ok' && outcome !== 'error'
}

function matching(family: FamilySnapshot | undefined, labels: Record<string, string>): SeriesSnapshot[] {
  const wanted = Object.entries(labels)
  return (family?.series ?? []).filter((series) =>
    wanted.every(([name, value]) => series.labels[name] === value),
  )
}

function distribution(series: readonly SeriesSnapshot[], bounds: readonly number[] = []): Distribution {
  const counts: number[] = new Array(bounds.length + 1).fill(0)
  for (const { values } of series) {
    for (let bucket = 0; bucket < counts.length; bucket++) counts[bucket]! += values[bucket]!
  }
  return { bounds, counts }
}

/** Of a histogram: all its buckets, without the sum of values at the end. */
function countOf({ values }: SeriesSnapshot): number {
  return sum(values.slice(0, -1))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
