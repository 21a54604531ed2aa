import type { ForeignMetric, ForeignValue } from './register.js'
import type { Exemplar, FamilySnapshot, SeriesSnapshot } from './snapshot.js'

/** A metric in the form that the writer of prom-client takes. @param formatBound  how `le` is written */
export function written(
  { name, help, type, aggregate, bounds, series }: FamilySnapshot,
  formatBound: (bound: number) => string = String,
): ForeignMetric {
  const limits = type === 'histogram' ? [...bounds.map(formatBound), '+Inf'] : []
  const values = series.flatMap((one) =>
    type === 'histogram' ? buckets(name, limits, one) : [{ labels: one.labels, value: one.values[0]! }],
  )
  // Others can only average what is one by one.
  return { name, help, type, aggregator: aggregate === 'worker' ? 'average' : aggregate, values }
}

function buckets(
  name: string,
  limits: readonly string[],
  { labels: sharedLabels, values, exemplars }: SeriesSnapshot,
): ForeignValue[] {
  let count = 0
  const lines = limits.map((le, bucket): ForeignValue => {
    count += values[bucket]!
    const exemplar = exemplars?.[bucket] && writtenExemplar(exemplars[bucket])
    return {
      metricName: `${name}_bucket`,
      labels: { le },
      sharedLabels,
      value: count,
      ...(exemplar && { exemplar }),
    }
  })
  lines.push({ metricName: `${name}_sum`, labels: {}, sharedLabels, value: values.at(-1)! })
  lines.push({ metricName: `${name}_count`, labels: {}, sharedLabels, value: count })
  return lines
}

function writtenExemplar({ traceId, spanId, value, at }: Exemplar): ForeignValue['exemplar'] {
  return { labelSet: { trace_id: traceId, span_id: spanId }, value, timestamp: at / 1_000 }
}
