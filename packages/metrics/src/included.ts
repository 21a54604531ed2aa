import type { FamilySnapshot, Labels, SeriesSnapshot } from './snapshot.js'

/** What `getMetricsAsJSON` of prom-client and of @prometheus-io/client resolves to, as far as it is used here. */
export interface ForeignMetric {
  name: string
  help: string
  /** `counter`, `gauge`, `histogram` or `summary`; very old or new releases may use a number. */
  type: unknown
  aggregator?: string
  values?: readonly {
    value: number
    labels?: Partial<Record<string, string | number>>
    metricName?: string
  }[]
}

/** A registry of another library: `register` of prom-client or @prometheus-io/client, or anything of that shape. */
export interface ForeignRegistry {
  getMetricsAsJSON(): Promise<unknown[]> | unknown[]
}

/** How long a registry may take; until it has answered, its last answer stands. */
const DEADLINE_MS = 200

/** The metrics of a foreign registry, in our form, as they were last seen. */
export class Included {
  families: FamilySnapshot[] = []

  constructor(private readonly registry: ForeignRegistry) {}

  /** Never fails and never takes long: one bad `collect` must not cost the whole answer. */
  async refresh(): Promise<void> {
    const read = Promise.resolve()
      .then(() => this.registry.getMetricsAsJSON())
      .then((metrics) => {
        this.families = (metrics as ForeignMetric[]).flatMap((metric) => fromForeign(metric) ?? [])
      })
      .catch(() => {})
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DEADLINE_MS)
    })
    await Promise.race([read, deadline])
    clearTimeout(timer)
  }
}

/**
 * Quantiles of a summary are left out, because they cannot be merged; its count and sum are kept as counters of their
 * own. What is neither of the four types, or says `omit`, is left out altogether.
 */
function fromForeign(metric: ForeignMetric): FamilySnapshot[] | undefined {
  if (metric.aggregator === 'omit') return undefined
  switch (metric.type) {
    case 'counter':
    case 'gauge':
      return [plain(metric, metric.type)]
    case 'histogram':
      return [histogram(metric)]
    case 'summary':
      return ['_count', '_sum'].map((suffix) => part(metric, suffix))
    default:
      return undefined
  }
}

function plain(metric: ForeignMetric, type: 'counter' | 'gauge'): FamilySnapshot {
  const series = (metric.values ?? []).map(({ labels = {}, value }) => ({
    labels: texts(labels),
    values: [value],
  }))
  return { name: metric.name, help: metric.help, type, aggregate: aggregation(metric), bounds: [], series }
}

/** `average` becomes one series per worker: an average of averages is no number of anything. */
function aggregation({ aggregator }: ForeignMetric): FamilySnapshot['aggregate'] {
  switch (aggregator) {
    case 'min':
    case 'max':
      return aggregator
    case 'average':
      return 'worker'
    // The same in every process, such as a version.
    case 'first':
      return 'max'
    default:
      return 'sum'
  }
}

function part(metric: ForeignMetric, suffix: string): FamilySnapshot {
  const name = metric.name + suffix
  const values = (metric.values ?? []).filter(({ metricName }) => metricName === name)
  return plain({ ...metric, name, values }, 'counter')
}

function histogram({ name, help, values = [] }: ForeignMetric): FamilySnapshot {
  const bounds = [
    ...new Set(
      values.flatMap(({ labels: { le } = {} }) => (le === undefined || le === '+Inf' ? [] : [Number(le)])),
    ),
  ].sort((a, b) => a - b)
  const series = new Map<string, SeriesSnapshot>()
  for (const { labels = {}, value, metricName } of values) {
    const { le, ...own } = labels
    const key = JSON.stringify(own)
    const one = series.get(key) ?? { labels: texts(own), values: new Array(bounds.length + 2).fill(0) }
    series.set(key, one)
    if (metricName === `${name}_sum`) one.values[bounds.length + 1] = value
    else if (le !== undefined) one.values[le === '+Inf' ? bounds.length : bounds.indexOf(Number(le))] = value
  }
  for (const { values } of series.values()) {
    for (let bucket = bounds.length; bucket > 0; bucket--) values[bucket]! -= values[bucket - 1]!
  }
  return { name, help, type: 'histogram', aggregate: 'sum', bounds, series: [...series.values()] }
}

function texts(labels: Partial<Record<string, string | number>>): Labels {
  return Object.fromEntries(
    Object.entries(labels)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  )
}
