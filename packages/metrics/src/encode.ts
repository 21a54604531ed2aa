import { type FamilySnapshot, labelText } from './snapshot.js'

/** An exposition format. */
export interface Format {
  contentType: string
  encode(families: readonly FamilySnapshot[]): string
}

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const prometheusText: Format = {
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
  encode: (families) =>
    families.map((family) => encodeFamily(family, family.name, family.type, number)).join(''),
}

/** @see https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md */
export const openMetrics: Format = {
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  encode: (families) => `${families.map(encodeOpenMetrics).join('')}# EOF\n`,
}

/** A counter is described without `_total`; one that is named otherwise cannot be a counter there. */
function encodeOpenMetrics(family: FamilySnapshot): string {
  const isCounter = family.type === 'counter'
  if (isCounter && !family.name.endsWith('_total')) return encodeFamily(family, family.name, 'unknown', float)
  const described = isCounter ? family.name.slice(0, -'_total'.length) : family.name
  return encodeFamily(family, described, family.type, float)
}

function encodeFamily(
  { name, help, type, bounds, series }: FamilySnapshot,
  described: string,
  typeName: string,
  formatBound: (bound: number) => string,
): string {
  let text = `# HELP ${described} ${escapeHelp(help)}\n# TYPE ${described} ${typeName}\n`
  const limits = type === 'histogram' ? [...bounds.map(formatBound), '+Inf'] : []
  for (const { labels, values } of series) {
    const own = labelText(labels)
    text +=
      type === 'histogram' ? encodeHistogram(name, own, limits, values) : `${sample(name, own, values[0]!)}`
  }
  return text
}

function encodeHistogram(
  name: string,
  labels: string,
  limits: readonly string[],
  values: readonly number[],
): string {
  const prefix = labels === '' ? '' : `${labels},`
  let text = ''
  let count = 0
  for (let bucket = 0; bucket < limits.length; bucket++) {
    count += values[bucket]!
    text += sample(`${name}_bucket`, `${prefix}le="${limits[bucket]}"`, count)
  }
  return text + sample(`${name}_sum`, labels, values.at(-1)!) + sample(`${name}_count`, labels, count)
}

function sample(name: string, labels: string, value: number): string {
  return `${name}${labels === '' ? '' : `{${labels}}`} ${number(value)}\n`
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}

/** OpenMetrics wants bounds to look like floats: `1.0`. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

/**
 * The format that the client likes best, Prometheus text unless it says otherwise.
 *
 * @param accept  the `Accept` header
 */
export function negotiate(accept: string | undefined): Format {
  let best = prometheusText
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

const formats = new Map([
  ['application/openmetrics-text', openMetrics],
  ['text/plain', prometheusText],
  ['text/*', prometheusText],
  ['*/*', prometheusText],
])
