import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { runtimeCatalogue } from './catalogue.js'
import { loopDelayBuckets } from './loop-delay.js'
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
  monitor.enable()
  let before = performance.eventLoopUtilization()
  const stopCollecting = registry.onCollect(() => {
    for (const { seconds, count } of loopDelayBuckets(
      monitor,
      RESOLUTION_MS,
      runtimeCatalogue.loopDelay.bounds,
    )) {
      delay.observe(seconds, count)
    }
    monitor.reset()
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
