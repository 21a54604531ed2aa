import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { boolean, durationMs, InvalidOption, resolveOptions, string } from '@scale/core'
import type { Heartbeat } from '../messages.js'
import { guardOrphan } from './orphan-guard.js'
import { type PulseThreadData, pulseThreadSource } from './pulse-thread.js'

/** How a stuck worker is found. */
export interface WatchdogOptions {
  /** How often a worker says how it is. Default 5,000 */
  intervalMs?: number
  /** How long a worker may be silent before it is killed and replaced. Default 60,000 */
  timeoutMs?: number
  /**
   * A second thread in each worker: 4 MB on Node 20, 13 MB on 24. With it, a worker whose loop is stuck in JavaScript leaves a diagnostic
   * report before it is killed, and one that is stuck when the primary dies ends itself. Default true
   */
  thread?: boolean
  /** Where reports are written, readable by the owner only, without the environment. Default: the temporary folder */
  reportDirectory?: string
}

/** What holds where `watchdog` says nothing. */
export const watchdogDefaults: Readonly<Required<Omit<WatchdogOptions, 'reportDirectory'>>> = Object.freeze({
  intervalMs: 5_000,
  timeoutMs: 60_000,
  thread: true,
})

/** @throws {InvalidOption} also when the time limit leaves no room for two heartbeats */
export function resolveWatchdog(given: WatchdogOptions | undefined): Required<WatchdogOptions> {
  const options = resolveOptions('runCluster: watchdog', given, {
    checks: { intervalMs: durationMs(), timeoutMs: durationMs(), thread: boolean, reportDirectory: string() },
    defaults: { ...watchdogDefaults, reportDirectory: tmpdir() },
  })
  if (options.timeoutMs < 2 * options.intervalMs) {
    throw new InvalidOption('runCluster: `watchdog.timeoutMs` must be at least twice `watchdog.intervalMs`.')
  }
  return options
}

/**
 * Starts the heartbeat of a worker.
 *
 * @param traffic  what the servers are busy with
 * @param warn     says that the thread has ended, which nobody would notice otherwise
 * @param graceMs  of `identity`: how long this process may take to end after the primary died
 * @returns stops it
 */
export function startPulse(
  options: Required<WatchdogOptions>,
  traffic: () => Pick<Heartbeat, 'inFlight' | 'connections' | 'requests'>,
  send: (heartbeat: Heartbeat) => void,
  warn: (message: string) => void,
  identity: { workerId: number; graceMs: number },
): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  let utilization = performance.eventLoopUtilization()
  const beats = new Int32Array(new SharedArrayBuffer(4))
  const stopThread = options.thread ? keepThread(options, beats, warn, identity) : () => {}
  const timer = setInterval(() => {
    Atomics.add(beats, 0, 1)
    const now = performance.eventLoopUtilization()
    const memory = process.memoryUsage()
    send({
      loopUtilizationRatio: performance.eventLoopUtilization(now, utilization).utilization,
      loopDelayMaxMs: delay.max / 1e6,
      loopDelayP99Ms: delay.percentile(99) / 1e6,
      heapUsedBytes: memory.heapUsed,
      rssBytes: memory.rss,
      ...traffic(),
    })
    utilization = now
    delay.reset()
  }, options.intervalMs)
  timer.unref()
  return () => {
    clearInterval(timer)
    delay.disable()
    stopThread()
  }
}

/** The report comes before the kill, and late enough not to be written for a loop that only stalled. */
const REPORT_AT = 0.75

/** One that ends again and again is not started for ever. */
const MOST_RESTARTS = 5
const RESTART_MS = 1_000

/** Starts the thread, and starts it again when something has ended it. @returns stops it */
function keepThread(
  options: Required<WatchdogOptions>,
  beats: Int32Array,
  warn: (message: string) => void,
  identity: { workerId: number; graceMs: number },
): () => void {
  let thread: Worker
  let isStopped = false
  let restarts = 0
  const parentPid = process.ppid
  const start = (): void => {
    let reason = 'ended'
    thread = startThread(options, beats, { ...identity, parentPid })
    thread.once('error', (error: NodeJS.ErrnoException) => {
      reason = `failed (${error.code ?? error.name})`
    })
    thread.once('exit', () => {
      if (isStopped) return
      const isLast = restarts++ === MOST_RESTARTS
      const next = isLast ? 'stays off: no report if this worker is stuck' : 'is started again'
      warn(`the thread of the watchdog ${reason} and ${next}`)
      if (!isLast) setTimeout(start, RESTART_MS).unref()
      else
        guardOrphan(parentPid, identity.graceMs, () =>
          warn('nothing ends this worker if the primary dies while it is stuck'),
        )
    })
  }
  start()
  return () => {
    isStopped = true
    void thread.terminate()
  }
}

function startThread(
  { timeoutMs, reportDirectory }: Required<WatchdogOptions>,
  beats: Int32Array,
  { workerId, graceMs, parentPid }: { workerId: number; graceMs: number; parentPid: number },
): Worker {
  const workerData: PulseThreadData = {
    beats,
    reportAfterMs: timeoutMs * REPORT_AT,
    reportFile: join(reportDirectory, `scale-worker-${workerId}-${process.pid}.json`),
    parentPid,
    graceMs,
  }
  const thread = new Worker(pulseThreadSource, {
    eval: true,
    workerData,
    // Not the app's loaders and preloads, nor those of NODE_OPTIONS: an agent does not fit into this thread.
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
  })
  thread.unref()
  return thread
}
