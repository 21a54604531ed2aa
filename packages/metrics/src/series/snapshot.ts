import type { GaugeAggregation } from '../catalogue.js'

/** Label names and values; a label that is not there is as good as an empty one. */
export type Labels = Readonly<Record<string, string>>

/** One observation that stands for its bucket, and the trace in which it was made. */
export interface Exemplar {
  traceId: string
  spanId: string
  value: number
  /** Epoch ms. */
  at: number
}

/**
 * One time series. `values` is the value alone, or for a histogram the number of observations in each bucket (not
 * cumulative), the last of them above every bound, and then their sum.
 */
export interface SeriesSnapshot {
  labels: Labels
  values: number[]
  /** For histograms whose observations belong to traces: the last of each bucket. */
  exemplars?: readonly (Exemplar | undefined)[] | undefined
}

/** All series of one metric at one moment. */
export interface FamilySnapshot {
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  /** For gauges. */
  aggregate: GaugeAggregation
  /** For histograms: upper bounds without infinity. */
  bounds: readonly number[]
  series: SeriesSnapshot[]
}

/** The labels of the one series that takes what no longer has a series of its own. */
export const overflowLabels: Labels = Object.freeze({ otel_metric_overflow: 'true' })

/** What tells two series of a metric apart, whatever the order of their labels. */
export function seriesKey(labels: Labels): string {
  const names = Object.keys(labels).filter((name) => labels[name] !== '')
  return JSON.stringify(names.sort().map((name) => [name, labels[name]]))
}
