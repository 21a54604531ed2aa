import { legacyCatalogue } from '../catalogue.js'
import type { HistogramSeries } from '../instruments.js'
import type { Registry } from '../registry.js'
import { methodOf } from './labels.js'
import type { Recorder } from './recorder.js'
import { SeriesTree } from './series-tree.js'

/** One histogram with the names that most dashboards know; a client that left counts as 499. */
export function legacyRecorder(registry: Registry, bounds: readonly number[]): Recorder {
  const duration = registry.histogram({ ...legacyCatalogue.duration, bounds })
  const tree = new SeriesTree<HistogramSeries>()

  return {
    begin(req) {
      return ({ res, seconds, ending, route }) => {
        if (ending.cause === 'upgraded') return
        const status = ending.side === 'client' ? '499' : String(res.statusCode)
        const key = { method: methodOf(req), scheme: '', status, errorType: '', route }
        let series = tree.get(key)
        if (series === undefined) {
          series = duration.with(key.method, route, status)
          if (!duration.isOverflow(series)) tree.set(key, series)
        }
        series.observe(seconds)
      }
    },
  }
}
