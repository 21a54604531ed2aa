import { defaultMetrics } from '../catalogue.js'
import type { ForeignMetric } from './register.js'
import type { FamilySnapshot, Labels, SeriesSnapshot } from './snapshot.js'

/** Of each process its own value, where prom-client says `sum` or leaves them out: no sum of these tells anything. */
const oneByOne = new Set(Object.values(defaultMetrics))

/**
 * A metric of prom-client, as one that can be added up.
 *
 * Quantiles of a summary are left out, because they cannot be merged; its count and sum are kept as counters of their
 * own. What is neither of the four types, or says `omit`, is left out altogether.
 *
 * @param isOpenMetrics  whether its registry writes OpenMetrics, which takes `_total` off the names of counters
 */
export function fromForeign(metric: ForeignMetric, isOpenMetrics: boolean): FamilySnapshot[] {
  if (metric.aggregator === 'omit' && !oneByOne.has(metric.name)) return []
  switch (metric.type) {
    case 'counter': {
      const name = isOpenMetrics && !metric.name.endsWith('_total') ? `${metric.name}_total` : metric.name
      return [plain({ ...metric, name }, 'counter')]
    }
    case 'gauge':
      return [plain(metric, 'gauge')]
    case 'histogram':
      return [histogram(metric)]
    case 'summary':
      return ['_count', '_sum'].map((suffix) => part(metric, suffix))
    default:
      return []
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
function aggregation({ name, aggregator }: ForeignMetric): FamilySnapshot['aggregate'] {
  if (oneByOne.has(name)) return 'worker'
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
