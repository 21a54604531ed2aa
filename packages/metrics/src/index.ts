export type { GaugeAggregation } from './catalogue.js'
export { dashboardHandler } from './dashboard/handler.js'
export { MetricConflict, MetricsInWorker } from './errors.js'
export type { Gathered } from './fleet.js'
export { metricsHandler, type PlainHandler } from './handler.js'
export { httpMetrics } from './http/middleware.js'
export type { ForeignRegistry } from './included.js'
export type { CounterSeries, GaugeSeries, HistogramSeries, Instrument } from './instruments.js'
export type {
  DashboardOptions,
  HttpMetricsOptions,
  MetricsHandlerOptions,
  RegistryOptions,
  SourceOptions,
} from './options.js'
export { packageMetrics } from './packages.js'
export { type PoolState, poolMetrics } from './pools.js'
export { createRegistry, defaultRegistry, type OwnMetric, type Registry } from './registry.js'
export type { FamilySnapshot, Labels, SeriesSnapshot } from './snapshot.js'
