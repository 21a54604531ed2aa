import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { runtimeCatalogue } from './catalogue.js'
import { loopDelayCounts } from './loop-delay.js'
import type { Registry } from './registry.js'

/** The timer whose delay is measured fires this often. */
const RESOLUTION_MS = 10

/** Event loop, CPU and memory of this process. @returns a function that ends it */
export function startRuntime(registry: Registry): () => void {
  const cpu = registry.counter(runtimeCatalogue.cpu)
  const resident = registry.gauge(runtimeCatalogue.residentMemory).with()
  const heap = registry.gauge(runtimeCatalogue.heapUsed).with()
  registry
    .gauge(runtimeCatalogue.startTime)
    .with()
    .set(performance.timeOrigin / 1_000)
  const stopCollecting = registry.onCollect(() => {
    const { rss, heapUsed } = process.memoryUsage()
    resident.set(rss)
    heap.set(heapUsed)
  })
  const stops = [stopCollecting, measureCpu(), measureLoop(registry)]
  return () => {
    for (const stop of stops) stop()
  }

  function measureCpu(): () => void {
    const user = cpu.with('user')
    const system = cpu.with('system')
    let before: NodeJS.CpuUsage = { user: 0, system: 0 }
    return registry.onCollect(() => {
      const now = process.cpuUsage()
      user.add((now.user - before.user) / 1e6)
      system.add((now.system - before.system) / 1e6)
      before = now
    })
  }
}

function measureLoop(registry: Registry): () => void {
  const delay = registry.histogram(runtimeCatalogue.loopDelay).with()
  const utilization = registry.gauge(runtimeCatalogue.loopUtilization).with()
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  const { bounds } = runtimeCatalogue.loopDelay
  let countsBefore: number[] = []
  monitor.enable()
  let before = performance.eventLoopUtilization()
  const stopCollecting = registry.onCollect(() => {
    const counts = loopDelayCounts(monitor, RESOLUTION_MS, bounds)
    // Node's histogram is not reset: a measurement that is under way would be lost, and it may be the one that matters.
    counts.forEach((count, bucket) => {
      delay.observe(middleOf(bounds, bucket), Math.max(0, count - (countsBefore[bucket] ?? 0)))
    })
    countsBefore = counts
    const now = performance.eventLoopUtilization()
    // Two readings in one tick have nothing between them.
    const { utilization: share, active, idle } = performance.eventLoopUtilization(now, before)
    if (active + idle < 1) return
    utilization.set(share)
    before = now
  })
  return () => {
    stopCollecting()
    monitor.disable()
  }
}

/** Where in a bucket its measurements are taken to be; those above every bound at twice the last. */
function middleOf(bounds: readonly number[], bucket: number): number {
  const upper = bounds[bucket] ?? bounds.at(-1)! * 3
  return ((bounds[bucket - 1] ?? 0) + upper) / 2
}
