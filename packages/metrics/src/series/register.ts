/**
 * A registry of prom-client or of `@prometheus-io/client`, as far as it is used here: known by its shape, so that either
 * library and any copy of it fits.
 */
export interface Register {
  readonly contentType: string
  registerMetric(metric: never): void
  getSingleMetric(name: string): unknown
  getMetricsAsArray(): readonly unknown[]
}

/** What a metric of these libraries answers to `get()`. */
export interface ForeignMetric {
  name: string
  help: string
  /** `counter`, `gauge`, `histogram` or `summary`. */
  type: unknown
  aggregator?: string
  values?: readonly ForeignValue[]
}

/** One line of the exposition. */
export interface ForeignValue {
  value: number
  labels?: Partial<Record<string, string | number>>
  /** Labels that many values have in common; written after the others. */
  sharedLabels?: Readonly<Record<string, string>>
  metricName?: string
  exemplar?: { labelSet: Readonly<Record<string, string>>; value: number; timestamp: number } | null
}

/** What `setDefaultLabels` was given: neither library tells, and only whole answers have them. */
export function defaultLabelsOf(register: Register): Readonly<Record<string, string>> {
  const { _defaultLabels = {} } = register as { _defaultLabels?: Record<string, unknown> }
  return Object.fromEntries(Object.entries(_defaultLabels).map(([name, value]) => [name, String(value)]))
}
