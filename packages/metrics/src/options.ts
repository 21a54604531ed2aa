import {
  arrayOf,
  boolean,
  durationMs,
  InvalidOption,
  integer,
  type OptionCheck,
  object,
  oneOf,
  type ResolvedOptions,
  resolveOptions,
  string,
} from '@scale/core'
import { durationBounds } from './catalogue.js'
import type { ForeignRegistry } from './included.js'
import type { Registry } from './registry.js'

/** Options of `createRegistry`. */
export interface RegistryOptions {
  /** Most series of one metric, in each process and for all of them together. Default 2,000 */
  maxSeries?: number
  /** How often a cluster worker pushes its numbers to the primary, in ms. Default 5,000 */
  pushIntervalMs?: number
  /**
   * Registries with metrics of your own, such as `register` of prom-client: they are served, and added up over all
   * workers, together with ours. A name that is ours is left out there. Default `[]`
   */
  include?: readonly ForeignRegistry[]
  /** Tells several registries of one process apart; the same in every worker. Default `default` */
  name?: string
}

/** What `createRegistry` does unless told otherwise. */
export const registryDefaults: Readonly<Required<RegistryOptions>> = Object.freeze({
  maxSeries: 2_000,
  pushIntervalMs: 5_000,
  include: [],
  name: 'default',
})

/** @throws {InvalidOption} */
export function resolveRegistryOptions(
  given: RegistryOptions | undefined,
): Readonly<Required<RegistryOptions>> {
  return resolveOptions('createRegistry', given, {
    checks: {
      maxSeries: integer(1),
      pushIntervalMs: durationMs(),
      include: arrayOf((value) =>
        typeof (value as Partial<ForeignRegistry> | null)?.getMetricsAsJSON === 'function'
          ? undefined
          : 'a registry with `getMetricsAsJSON`',
      ),
      name: string(1, 64),
    },
    defaults: registryDefaults,
  })
}

/** Options of `httpMetrics`. */
export interface HttpMetricsOptions {
  /** Where the metrics live. Default: the one registry of the process */
  registry?: Registry
  /**
   * `otel`: names and labels of OpenTelemetry's semantic conventions. `legacy`: `http_request_duration_seconds` with
   * `method`, `route` and `status_code`, for dashboards that exist; nothing else. Default `otel`
   */
  preset?: 'otel' | 'legacy'
  /**
   * Upper bounds of the buckets of the duration, in seconds, ascending. Objectives can only be set at one of them.
   * Default: those of OpenTelemetry, 0.005 to 10
   */
  bounds?: readonly number[]
  /** Whether the sizes of bodies are measured too, with the preset `otel`. Default true */
  bodySizes?: boolean
}

/** What `httpMetrics` does unless told otherwise. */
export const httpMetricsDefaults: {
  readonly preset: 'otel'
  readonly bounds: readonly number[]
  readonly bodySizes: true
} = Object.freeze({ preset: 'otel', bounds: durationBounds, bodySizes: true })

/** @throws {InvalidOption} */
export function resolveHttpMetricsOptions(
  given: HttpMetricsOptions | undefined,
): Readonly<ResolvedOptions<HttpMetricsOptions, typeof httpMetricsDefaults>> {
  return resolveOptions('httpMetrics', given, {
    checks: {
      registry,
      preset: oneOf('otel', 'legacy'),
      bounds: ascending,
      bodySizes: boolean,
    },
    defaults: httpMetricsDefaults as ResolvedOptions<HttpMetricsOptions, typeof httpMetricsDefaults>,
  })
}

/** Options of `packageMetrics` and `poolMetrics`. */
export interface SourceOptions {
  /** Where the metrics live. Default: the one registry of the process */
  registry?: Registry
}

/** @throws {InvalidOption} */
export function resolveSourceOptions(
  owner: string,
  given: SourceOptions | undefined,
): Readonly<SourceOptions> {
  return resolveOptions<SourceOptions, object>(owner, given, { checks: { registry }, defaults: {} })
}

/** Options of `metricsHandler`. */
export interface MetricsHandlerOptions {
  /** What is served. Default: the one registry of the process */
  registry?: Registry
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
    checks: { registry, deadlineMs: durationMs(1, 1_000) },
    defaults: metricsHandlerDefaults,
  })
}

/** Options of `dashboardHandler`. */
export interface DashboardOptions {
  /** What is shown. Default: the one registry of the process */
  registry?: Registry
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
    checks: { registry, title: string(1, 100), refreshMs: durationMs(100) },
    defaults: dashboardDefaults,
  })
}

const registry: OptionCheck = (value) =>
  object(value) ??
  (typeof (value as Partial<Registry>).gather === 'function' ? undefined : 'made by createRegistry')

const ascending: OptionCheck = (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((bound, index) => Number.isFinite(bound) && (index === 0 || bound > value[index - 1]))
    ? undefined
    : 'an array of ascending numbers'

/** @throws {InvalidOption} a name or label that Prometheus does not take */
export function checkDefinition({
  name,
  labels,
  type,
  bounds,
}: {
  name: string
  labels: readonly string[]
  type: string
  bounds?: readonly number[] | undefined
}): void {
  if (typeof name !== 'string' || !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) {
    throw new InvalidOption('registry: the name of a metric must be letters, digits, `_` and `:`.')
  }
  const wrong = labels.find((label) => !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) || label === 'le')
  if (wrong !== undefined) {
    throw new InvalidOption(
      `registry: \`${name}\` has a label that is not letters, digits and \`_\`, or is \`le\`.`,
    )
  }
  if (type === 'histogram' && ascending(bounds) !== undefined) {
    throw new InvalidOption(`registry: \`bounds\` of \`${name}\` must be ${ascending(bounds)}.`)
  }
}
