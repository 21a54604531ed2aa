import { legacyCatalogue } from '../catalogue.js'
import type { ProcessFleet } from '../fleet/fleet.js'
import type { HistogramSeries } from '../series/family.js'
import { methodOf } from './labels.js'
import type { Recorder } from './recorder.js'
import { SeriesTree } from './series-tree.js'

/**
 * The histogram of express-prom-bundle, with its method and path. A parameter of a route is written as it writes what
 * looks like a value, `#val`; a route that does not exist has no path, where it would have the client's.
 */
export function legacyRecorder(fleet: ProcessFleet, bounds?: readonly number[]): Recorder {
  const duration = fleet.histogram({ ...legacyCatalogue.duration, ...(bounds && { bounds }) })
  const tree = new SeriesTree<HistogramSeries>()

  return {
    begin(req) {
      return ({ res, seconds, ending, route }) => {
        if (ending.cause === 'upgraded') return
        const status = ending.side === 'client' ? '499' : String(res.statusCode)
        const key = { method: methodOf(req), scheme: '', status, errorType: '', route }
        let series = tree.get(key)
        if (series === undefined) {
          series = duration.with(status, key.method, pathOf(route))
          if (!duration.isOverflow(series)) tree.set(key, series)
        }
        series.observe(seconds)
      }
    },
  }
}

function pathOf(route: string): string {
  return route.replace(/:\w+(?:\([^)]*\))?/g, '#val')
}
