export type { GaugeAggregation } from './catalogue.js'
export { dashboardHandler } from './dashboard/handler.js'
export { MetricConflict, MetricsInWorker } from './errors.js'
export { metricsHandler, type PlainHandler } from './exposition/handler.js'
export { type Fleet, fleet } from './fleet/fleet.js'
export type { Gathered } from './fleet/primary.js'
export { httpMetrics } from './http/middleware.js'
export type {
  DashboardOptions,
  FleetOptions,
  HttpMetricsOptions,
  MetricsHandlerOptions,
  PackageMetricsOptions,
  PoolMetricsOptions,
} from './options.js'
export type { Register } from './series/register.js'
export type { Exemplar, FamilySnapshot, Labels, SeriesSnapshot } from './series/snapshot.js'
export { packageMetrics } from './sources/packages.js'
export { type PoolState, poolMetrics } from './sources/pools.js'
