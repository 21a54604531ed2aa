import type { GaugeAggregation } from './catalogue.js'

/** Label names and values; a label that is not there is as good as an empty one. */
export type Labels = Readonly<Record<string, string>>

/**
 * One time series. `values` is the value alone, or for a histogram the number of observations in each bucket (not
 * cumulative), the last of them above every bound, and then their sum.
 */
export interface SeriesSnapshot {
  labels: Labels
  values: number[]
}

/** All series of one metric at one moment, in a form that survives JSON. */
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

/** The text of labels in the exposition formats, without braces; also what tells two series apart. */
export function labelText(labels: Labels): string {
  let text = ''
  for (const name in labels) {
    const value = labels[name]!
    if (value === '') continue
    text += `${text === '' ? '' : ','}${name}="${escapeValue(value)}"`
  }
  return text
}

function escapeValue(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    : value
}
