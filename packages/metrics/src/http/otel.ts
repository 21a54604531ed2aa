import type { IncomingMessage, ServerResponse } from 'node:http'
import { httpCatalogue } from '../catalogue.js'
import type { ProcessFleet } from '../fleet/fleet.js'
import type { GaugeSeries, HistogramSeries } from '../series/family.js'
import { errorTypeOf, methodOf, schemeOf, statusOf } from './labels.js'
import type { Recorder } from './recorder.js'
import { type SeriesKey, SeriesTree } from './series-tree.js'

/** The series of all requests with the same labels. */
interface RouteSeries {
  duration: HistogramSeries
  requestSize: HistogramSeries | undefined
  responseSize: HistogramSeries | undefined
}

/**
 * Names and labels of OpenTelemetry's semantic conventions for HTTP servers.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
 */
export function otelRecorder(fleet: ProcessFleet, bounds: readonly number[], bodySizes: boolean): Recorder {
  const duration = fleet.histogram({ ...httpCatalogue.duration, bounds })
  const requestSize = bodySizes ? fleet.histogram(httpCatalogue.requestSize) : undefined
  const responseSize = bodySizes ? fleet.histogram(httpCatalogue.responseSize) : undefined
  const active = activeGauge(fleet)
  const tree = new SeriesTree<RouteSeries>()

  function seriesOf(key: SeriesKey): RouteSeries {
    const known = tree.get(key)
    if (known !== undefined) return known
    const labels = [key.method, key.scheme, key.status, key.route, key.errorType]
    const made = duration.with(...labels)
    const series = {
      duration: made,
      requestSize: requestSize?.with(...labels),
      responseSize: responseSize?.with(...labels),
    }
    // What went to the overflow is looked up again, so that the tree is as bounded as the metric.
    if (!duration.isOverflow(made)) tree.set(key, series)
    return series
  }

  return {
    begin(req) {
      const method = methodOf(req)
      const scheme = schemeOf(req)
      const underWay = active(method, scheme)
      underWay.add(1)
      const written = bodySizes ? req.socket.bytesWritten : 0
      return ({ res, seconds, ending, route, context }) => {
        underWay.add(-1)
        // It lasts as long as the other protocol.
        if (ending.cause === 'upgraded') return
        const status = statusOf(ending, res)
        const series = seriesOf({ method, scheme, status, errorType: errorTypeOf(ending, res), route })
        // A trace that nobody records would lead nowhere.
        if (context?.sampled) series.duration.observeIn(context, seconds)
        else series.duration.observe(seconds)
        if (!bodySizes) return
        series.requestSize!.observe(requestBytes(req))
        series.responseSize!.observe(responseBytes(req, res, written))
      }
    },
  }
}

function activeGauge(fleet: ProcessFleet): (method: string, scheme: string) => GaugeSeries {
  const gauge = fleet.gauge(httpCatalogue.active)
  const series = new Map<string, GaugeSeries>()
  return (method, scheme) => {
    let one = scheme === 'http' ? series.get(method) : undefined
    if (one === undefined) {
      one = gauge.with(method, scheme)
      if (scheme === 'http') series.set(method, one)
    }
    return one
  }
}

/** A body that comes in chunks has no length in advance: not a number, and so not counted. */
function requestBytes({ headers }: IncomingMessage): number {
  const length = headers['content-length']
  if (length !== undefined) return Number(length)
  return headers['transfer-encoding'] === undefined ? 0 : Number.NaN
}

/** Without a length in advance: what the socket has written, less the head; the frames of chunks count in. */
function responseBytes(
  { method, socket }: IncomingMessage,
  res: ServerResponse & { _header?: string | null },
  writtenBefore: number,
): number {
  const { statusCode } = res
  if (method === 'HEAD' || statusCode === 204 || statusCode === 304 || !res.headersSent) return 0
  const length = res.getHeader('content-length')
  if (length !== undefined && res.writableFinished) return Number(length)
  const head = res._header?.length ?? 0
  return Math.max(0, socket.bytesWritten - writtenBefore - head)
}
