import { decideWorkers, type WorkerDecision } from './decision.js'
import { emitter } from './events.js'
import { exitCodeOf, writeError } from './fatal.js'
import { LifecycleRegistry } from './lifecycle.js'
import {
  type ClusterOptions,
  type Prepared,
  type ResolvedClusterOptions,
  resolveClusterOptions,
} from './options.js'
import { Primary } from './primary.js'
import { resources } from './resources.js'
import { runSingle } from './single.js'
import { isOurWorker, runWorker } from './worker.js'

/** What runs now, seen from this process. */
export interface RunningCluster {
  /** `primary`: workers serve; `worker`: this process serves for a primary; `single`: this process is all. */
  role: 'primary' | 'worker' | 'single'
  /** `undefined` in a worker: the primary decided. */
  decision: WorkerDecision | undefined
  /** Of the admin server, in the process that has one. */
  adminUrl: string | undefined
  /** Drains and ends; in a worker, only this worker, which the primary then replaces. */
  stop(): Promise<void>
}

/**
 * Runs an app in as many workers as the machine leaves it, and ends it without losing a request.
 *
 * Call it once, at the end of the main file. The file runs in the primary and again in each worker: what is outside
 * `start` and `prepare` runs in all of them. It takes SIGTERM, SIGINT and, unless the app listens for
 * them, uncaught errors. It ends the process itself; see `exitCodes`.
 *
 * @returns when every worker (or, in a worker, this one) is ready
 * @throws {InvalidOption} a wrong option, or a wrong `WEB_CONCURRENCY`
 * @throws {AdminNotListening} the admin port is taken
 */
export async function runCluster(options: ClusterOptions): Promise<RunningCluster> {
  const resolved = resolveClusterOptions(options)
  if (isOurWorker()) return runWorker(resolved)

  const prepared = new LifecycleRegistry()
  const { env = {}, workers } = await prepare(resolved, prepared)
  const decision: WorkerDecision =
    workers === undefined
      ? decideWorkers({ workers: resolved.workers, resources: resources(), env: process.env })
      : { workers: workers.count, source: 'prepare', reason: workers.reason, resources: resources() }
  const emit = emitter(resolved.log)
  if (decision.workers === 1) {
    Object.assign(process.env, env)
    return { role: 'single', decision, ...(await runSingle(resolved, decision, prepared, emit)) }
  }
  const primary = new Primary(resolved, decision, prepared, env, emit)
  await primary.start()
  return {
    role: 'primary',
    decision,
    adminUrl: primary.adminUrl,
    stop: () => primary.stop('stop()'),
  }
}

async function prepare(options: ResolvedClusterOptions, lifecycle: LifecycleRegistry): Promise<Prepared> {
  try {
    return (await options.prepare?.({ lifecycle })) ?? {}
  } catch (error) {
    writeError(error)
    await lifecycle.stop(options.drain.timeoutMs)
    return process.exit(exitCodeOf(error))
  }
}
