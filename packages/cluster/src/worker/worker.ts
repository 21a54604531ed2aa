import cluster from 'node:cluster'
import { type FromPrimary, type FromWorker, unwrap, wrap } from '../messages.js'
import type { ResolvedClusterOptions } from '../options.js'
import { isHandledByApp, onStopSignal } from '../process/app-signals.js'
import { exitCodes } from '../process/exit-codes.js'
import { exitCodeOf, onUncaught, writeError } from '../process/fatal.js'
import { bindBesideOthers, canReusePort } from '../process/node-internals.js'
import { ignoreHangup } from '../process/signals.js'
import { startPulse } from './pulse.js'
import { ServingProcess } from './serving.js'

/** How a worker learns its number, and that it is ours and not another process manager's. */
export const workerIdVariable = 'SCALE_CLUSTER_WORKER'
/** How many workers there are. */
export const workersVariable = 'SCALE_CLUSTER_WORKERS'

/** Whether this process was forked by `runCluster`. */
export function isOurWorker(): boolean {
  return cluster.isWorker && process.env[workerIdVariable] !== undefined
}

/** The worker's side: boots, says so, says how it is, and does what the primary says. */
export async function runWorker(options: ResolvedClusterOptions): Promise<void> {
  const workerId = Number(process.env[workerIdVariable])
  const workers = Number(process.env[workersVariable])
  // What this worker spawns is no worker of ours.
  delete process.env[workerIdVariable]
  const { timeoutMs } = options.drain
  const atOnce = { signal: 'SIGTERM', delayMs: 0, timeoutMs } as const
  const serving = new ServingProcess(
    options,
    () => send({ type: 'health', ok: serving.health.ok, checks: serving.health.report() }),
    (message) => send({ type: 'warning', message }),
  )

  let isEnding = false
  let status: number = exitCodes.drained
  /** A failure while it drains changes how it ends, not when. */
  const end = async (
    code: number,
    { delayMs, timeoutMs, signal }: Omit<Extract<FromPrimary, { type: 'drain' }>, 'type'>,
  ): Promise<void> => {
    status ||= code
    if (isEnding) return
    isEnding = true
    const report = await serving.drain(signal, delayMs, timeoutMs, told('refuse'))
    // What is still on its way here goes to another worker: the primary takes it back.
    await send({ type: 'drained', report })
    process.exit(status || (report.clean ? exitCodes.drained : exitCodes.forced))
  }

  ignoreHangup()
  onStopSignal((reason, signal) => {
    // The app, whose listener is next, ends itself now.
    if (options.isUnchanged && isHandledByApp(signal)) {
      void send({ type: 'leaving', reason })
      void end(exitCodes.drained, { ...atOnce, signal })
    } else if (signal === 'SIGTERM') void send({ type: 'stop-asked', reason })
  })
  process.on('message', (raw) => {
    const message = unwrap<FromPrimary>(raw)
    if (message?.type === 'drain') void end(exitCodes.drained, message)
  })
  cluster.worker!.on('disconnect', () => {
    // The primary is gone. Without this mark Node ends the worker at once, with status 0, whatever it is busy with.
    cluster.worker!.exitedAfterDisconnect = true
    void end(exitCodes.forced, atOnce)
  })
  onUncaught(() => {
    void send({ type: 'failing' })
    void end(exitCodes.uncaught, atOnce)
  })

  if (options.reusePort && canReusePort()) bindBesideOthers()
  void send({ type: 'here' })
  try {
    await serving.boot({ workerId, workers }, () => send({ type: 'listening' }))
    startPulse(
      options.watchdog,
      () => serving.traffic,
      (heartbeat) => void send({ type: 'heartbeat', heartbeat }),
      (message) => void send({ type: 'warning', message }),
      { workerId, graceMs: timeoutMs + 1_000 },
    )
    await send({ type: 'ready', checks: serving.health.report() })
  } catch (error) {
    writeError(error)
    await end(exitCodeOf(error), atOnce)
  }
}

/** Resolves when the primary says so, or when there is no primary. */
function told(type: FromPrimary['type']): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) resolve()
    process.on('message', (raw) => {
      if (unwrap<FromPrimary>(raw)?.type === type) resolve()
    })
  })
}

/** Asks for this worker to be replaced. */
export function askToStop(): Promise<void> {
  return send({ type: 'stop-asked', reason: 'stop()' })
}

/** Resolves when the message has left, or when there is nobody to send it to. */
function send(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) resolve()
    else process.send!(wrap(message), undefined, undefined, () => resolve())
  })
}
