import { requestRecord } from '@scale/core'
import type { RequestHandler } from 'express'
import { durationBounds } from '../catalogue.js'
import { fleetOf } from '../fleet/fleet.js'
import { type HttpMetricsOptions, resolveHttpMetricsOptions } from '../options.js'
import { legacyRecorder } from './legacy.js'
import { otelRecorder } from './otel.js'

/**
 * Measures every request: its duration, how many are under way, the sizes of bodies. Labels are method, scheme, status,
 * route template and kind of error: nothing that a client can invent.
 *
 * Mount it first, so that it sees what other middleware answers.
 *
 * @throws {InvalidOption}
 * @throws {MetricConflict} the register has a metric of one of these names
 * @see docs/concepts/metrics.md
 */
export function httpMetrics(options?: HttpMetricsOptions): RequestHandler {
  const { register, preset, bounds, bodySizes } = resolveHttpMetricsOptions(options)
  const fleet = fleetOf({ register })
  const recorder =
    preset === 'legacy'
      ? legacyRecorder(fleet, bounds)
      : otelRecorder(fleet, bounds ?? durationBounds, bodySizes)

  return function httpMetrics(req, res, next) {
    const end = recorder.begin(req)
    requestRecord(req, res).onEnd(({ startedAt, ending, route = '', context }) => {
      end({ res, seconds: (performance.now() - startedAt) / 1_000, ending: ending!, route, context })
    })
    next()
  }
}
