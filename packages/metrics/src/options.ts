import {
  boolean,
  durationMs,
  integer,
  type OptionCheck,
  object,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
  string,
} from '@scale/core'
import type { Register } from './series/register.js'

/** Options of `fleet`. */
export interface FleetOptions {
  /** Whose metrics are added up over all workers. Default: `register` of prom-client */
  register?: Register
  /** Tells several registers of one process apart; the same in every worker. Default `default` */
  name?: string
  /** Most series of one metric of ours in each process, and of any metric in all of them together. Default 2,000 */
  maxSeries?: number
  /** How often a cluster worker pushes its numbers to the primary, in ms. Default 5,000 */
  pushIntervalMs?: number
}

/** What `fleet` does unless told otherwise. */
export const fleetDefaults: Readonly<Required<Omit<FleetOptions, 'register'>>> = Object.freeze({
  name: 'default',
  maxSeries: 2_000,
  pushIntervalMs: 5_000,
})

/** @throws {InvalidOption} */
export function resolveFleetOptions(
  given: FleetOptions | undefined,
): Readonly<ResolvedOptions<FleetOptions, typeof fleetDefaults>> {
  return resolveOptions('fleet', given, {
    checks: { register, name: string(1, 64), maxSeries: integer(1), pushIntervalMs: durationMs() },
    defaults: fleetDefaults,
  })
}

/** Options of `httpMetrics`. */
export interface HttpMetricsOptions {
  /** Where the metrics live. Default: `register` of prom-client */
  register?: Register
  /**
   * `otel`: names and labels of OpenTelemetry's semantic conventions. `legacy`: those of express-prom-bundle,
   * `http_request_duration_seconds` with `status_code`, `method` and `path`, so that its dashboards go on. Default `otel`
   */
  preset?: 'otel' | 'legacy'
  /**
   * Upper bounds of the buckets of the duration, in seconds, ascending. Objectives can only be set at one of them.
   * Default: those of OpenTelemetry, 0.005 to 10, or of express-prom-bundle
   */
  bounds?: readonly number[]
  /** Whether the sizes of bodies are measured too, with the preset `otel`. Default true */
  bodySizes?: boolean
}

/** What `httpMetrics` does unless told otherwise. */
export const httpMetricsDefaults: {
  readonly preset: 'otel'
  readonly bodySizes: true
} = Object.freeze({ preset: 'otel', bodySizes: true })

/** @throws {InvalidOption} */
export function resolveHttpMetricsOptions(
  given: HttpMetricsOptions | undefined,
): Readonly<ResolvedOptions<HttpMetricsOptions, typeof httpMetricsDefaults>> {
  return resolveOptions('httpMetrics', given, {
    checks: {
      register,
      preset: oneOf('otel', 'legacy'),
      bounds: ascending,
      bodySizes: boolean,
    },
    defaults: httpMetricsDefaults as ResolvedOptions<HttpMetricsOptions, typeof httpMetricsDefaults>,
  })
}

/** Options of `packageMetrics`. */
export interface PackageMetricsOptions {
  /** Where the metrics live. Default: `register` of prom-client */
  register?: Register
  /**
   * Whether prom-client's `collectDefaultMetrics` is called, unless it was: CPU, memory, heap spaces, garbage collection,
   * handles, version. Default true
   */
  defaultMetrics?: boolean
}

/** What `packageMetrics` does unless told otherwise. */
export const packageMetricsDefaults: { readonly defaultMetrics: boolean } = Object.freeze({
  defaultMetrics: true,
})

/** @throws {InvalidOption} */
export function resolvePackageMetricsOptions(
  given: PackageMetricsOptions | undefined,
): Readonly<ResolvedOptions<PackageMetricsOptions, typeof packageMetricsDefaults>> {
  return resolveOptions('packageMetrics', given, {
    checks: { register, defaultMetrics: boolean },
    defaults: packageMetricsDefaults,
  })
}

/** Options of `poolMetrics`. */
export interface PoolMetricsOptions {
  /** Where the metrics live. Default: `register` of prom-client */
  register?: Register
}

/** @throws {InvalidOption} */
export function resolvePoolMetricsOptions(
  given: PoolMetricsOptions | undefined,
): Readonly<PoolMetricsOptions> {
  return resolveOptions<PoolMetricsOptions, object>('poolMetrics', given, {
    checks: { register },
    defaults: {},
  })
}

/** Options of `metricsHandler`. */
export interface MetricsHandlerOptions {
  /** What is served. Default: `register` of prom-client */
  register?: Register
  /**
   * How long an answer waits for workers to say how they are now, in ms. After that their last push stands, and those
   * that were silent are not waited for again until they are heard. Default 250
   */
  deadlineMs?: number
}

/** What `metricsHandler` does unless told otherwise. */
export const metricsHandlerDefaults: { readonly deadlineMs: number } = Object.freeze({ deadlineMs: 250 })

/** @throws {InvalidOption} */
export function resolveMetricsHandlerOptions(
  given: MetricsHandlerOptions | undefined,
): Readonly<ResolvedOptions<MetricsHandlerOptions, typeof metricsHandlerDefaults>> {
  return resolveOptions('metricsHandler', given, {
    checks: { register, deadlineMs: durationMs(1, 1_000) },
    defaults: metricsHandlerDefaults,
  })
}

/** Options of `dashboardHandler`. */
export interface DashboardOptions {
  /** What is shown. Default: `register` of prom-client */
  register?: Register
  /** Heading of the page. Default `'Service'` */
  title?: string
  /** How often the page asks for new numbers, in ms. Default 2,000 */
  refreshMs?: number
}

/** What `dashboardHandler` does unless told otherwise. */
export const dashboardDefaults: { readonly title: string; readonly refreshMs: number } = Object.freeze({
  title: 'Service',
  refreshMs: 2_000,
})

/** @throws {InvalidOption} */
export function resolveDashboardOptions(
  given: DashboardOptions | undefined,
): Readonly<ResolvedOptions<DashboardOptions, typeof dashboardDefaults>> {
  return resolveOptions('dashboardHandler', given, {
    checks: { register, title: string(1, 100), refreshMs: durationMs(100) },
    defaults: dashboardDefaults,
  })
}

const register: OptionCheck = (value) =>
  object(value) ??
  (typeof (value as Partial<Register>).registerMetric === 'function'
    ? undefined
    : 'a registry of prom-client')

const ascending: OptionCheck = (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((bound, index) => Number.isFinite(bound) && (index === 0 || bound > value[index - 1]))
    ? undefined
    : 'an array of ascending numbers'
