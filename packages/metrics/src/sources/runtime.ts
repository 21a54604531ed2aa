import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { collectDefaultMetrics } from 'prom-client'
import { defaultMetrics, runtimeCatalogue } from '../catalogue.js'
import type { ProcessFleet } from '../fleet/fleet.js'
import { loopDelayCounts } from './loop-delay.js'

/** The timer whose delay is measured fires this often. */
const RESOLUTION_MS = 10

/** Prom-client's own metrics of a process, unless the app collects them in this register already. */
export function collectDefaults({ register }: ProcessFleet): void {
  if (register.getSingleMetric(defaultMetrics.startTime) !== undefined) return
  collectDefaultMetrics({ register: register as never })
}

/** How late and how busy the event loop of this process is. @returns a function that ends it */
export function measureLoop(fleet: ProcessFleet): () => void {
  const stops = [measureDelay(fleet), measureUtilization(fleet)]
  return () => {
    for (const stop of stops) stop()
  }
}

function measureDelay(fleet: ProcessFleet): () => void {
  const delay = fleet.histogram(runtimeCatalogue.loopDelay)
  const { bounds } = runtimeCatalogue.loopDelay
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  let countsBefore: number[] = []
  monitor.enable()
  const stop = delay.onCollect(() => {
    const counts = loopDelayCounts(monitor, RESOLUTION_MS, bounds)
    // Node's histogram is not reset: a measurement that is under way would be lost, and it may be the one that matters.
    counts.forEach((count, bucket) => {
      delay.with().observe(middleOf(bounds, bucket), Math.max(0, count - (countsBefore[bucket] ?? 0)))
    })
    countsBefore = counts
  })
  return () => {
    stop()
    monitor.disable()
  }
}

function measureUtilization(fleet: ProcessFleet): () => void {
  const utilization = fleet.gauge(runtimeCatalogue.loopUtilization)
  let before = performance.eventLoopUtilization()
  return utilization.onCollect(() => {
    const now = performance.eventLoopUtilization()
    // Two readings in one tick have nothing between them.
    const { utilization: share, active, idle } = performance.eventLoopUtilization(now, before)
    if (active + idle < 1) return
    utilization.with().set(share)
    before = now
  })
}

/** Where in a bucket its measurements are taken to be; those above every bound at twice the last. */
function middleOf(bounds: readonly number[], bucket: number): number {
  const upper = bounds[bucket] ?? bounds.at(-1)! * 3
  return ((bounds[bucket - 1] ?? 0) + upper) / 2
}
