import { requestRecord } from '@scale/core'
import type { RequestHandler } from 'express'
import { type HttpMetricsOptions, resolveHttpMetricsOptions } from '../options.js'
import { defaultRegistry } from '../registry.js'
import { legacyRecorder } from './legacy.js'
import { otelRecorder } from './otel.js'

/**
 * Measures every request: its duration, how many are under way, the sizes of bodies. Labels are method, scheme, status,
 * route template and kind of error: nothing that a client can invent.
 *
 * Mount it first, so that it sees what other middleware answers.
 *
 * @throws {InvalidOption}
 * @see docs/concepts/metrics.md
 */
export function httpMetrics(options?: HttpMetricsOptions): RequestHandler {
  const { registry = defaultRegistry(), preset, bounds, bodySizes } = resolveHttpMetricsOptions(options)
  const recorder =
    preset === 'legacy' ? legacyRecorder(registry, bounds) : otelRecorder(registry, bounds, bodySizes)

  return function httpMetrics(req, res, next) {
    const end = recorder.begin(req)
    requestRecord(req, res).onEnd(({ startedAt, ending, route = '' }) => {
      end({ res, seconds: (performance.now() - startedAt) / 1_000, ending: ending!, route })
    })
    next()
  }
}
