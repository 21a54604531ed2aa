import { Registry, type RegistryContentType } from 'prom-client'
import type { FamilySnapshot } from '../series/snapshot.js'
import { written } from '../series/written.js'

/** Text of all these metrics in a format, by the writer of prom-client. */
export function textOf(
  families: readonly FamilySnapshot[],
  contentType: RegistryContentType,
): Promise<string> {
  const isOpenMetrics = contentType === Registry.OPENMETRICS_CONTENT_TYPE
  const registry = new Registry<RegistryContentType>()
  registry.setContentType(contentType)
  for (const family of families) {
    const metric = isOpenMetrics ? openMetrics(family) : written(family)
    registry.registerMetric({ ...metric, get: () => metric } as never)
  }
  return registry.metrics()
}

/** Bounds look like floats there, and what does not end in `_total` cannot be a counter: it would get another name. */
function openMetrics(family: FamilySnapshot): ReturnType<typeof written> {
  const metric = written(family, (bound) => (Number.isInteger(bound) ? `${bound}.0` : String(bound)))
  if (family.type !== 'counter') return metric
  const described = family.name.replace(/_total$/, '')
  return described === family.name ? { ...metric, type: 'unknown' } : { ...metric, name: described }
}

/**
 * The content type that the client likes best, Prometheus text unless it says otherwise.
 *
 * @param accept  the `Accept` header
 */
export function negotiate(accept: string | undefined): RegistryContentType {
  let best: RegistryContentType = Registry.PROMETHEUS_CONTENT_TYPE
  let bestQuality = 0
  for (const range of (accept ?? '').split(',', 32)) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const format = formats.get(type)
    const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
    if (format === undefined || !(quality > bestQuality)) continue
    best = format
    bestQuality = quality
  }
  return best
}

const formats = new Map<string, RegistryContentType>([
  ['application/openmetrics-text', Registry.OPENMETRICS_CONTENT_TYPE],
  ['text/plain', Registry.PROMETHEUS_CONTENT_TYPE],
  ['text/*', Registry.PROMETHEUS_CONTENT_TYPE],
  ['*/*', Registry.PROMETHEUS_CONTENT_TYPE],
])
