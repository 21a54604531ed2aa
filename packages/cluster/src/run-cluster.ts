import { InvalidOption, integer } from '@scale/core'
import { startControl } from './admin/control.js'
import { systemdNotifier } from './admin/systemd.js'
import { NotPrimary } from './errors.js'
import { type Emit, emitter } from './events.js'
import {
  type ClusterOptions,
  type Prepared,
  type ResolvedClusterOptions,
  resolveClusterOptions,
} from './options.js'
import { Primary, type WorkerStatus } from './primary/primary.js'
import type { ReloadReport } from './primary/reload.js'
import { decideWorkers, MAX_WORKERS, type WorkerDecision } from './process/decision.js'
import { exitCodeOf, writeError } from './process/fatal.js'
import { canReusePort, unexpected } from './process/node-internals.js'
import { resources } from './process/resources.js'
import { LifecycleRegistry } from './worker/lifecycle.js'
import { runSingle } from './worker/single.js'
import { askToStop, isOurWorker, runWorker } from './worker/worker.js'

/** What runs now, seen from this process. */
export interface RunningCluster {
  /** `primary`: workers serve; `worker`: this process serves for a primary; `single`: this process is all. */
  role: 'primary' | 'worker' | 'single'
  /** `undefined` in a worker: the primary decided. */
  decision: WorkerDecision | undefined
  /** Of the admin server, in the process that has one. */
  adminUrl: string | undefined
  /** All workers as they are now; empty unless this is the primary. */
  readonly workers: WorkerStatus[]
  /**
   * Replaces every worker by one that runs what is on disk now. One reload at a time: while one runs, all further
   * calls share the next.
   *
   * @throws {ReloadFailed} a new worker did not boot, or did not last; old ones serve on
   * @throws {NotPrimary} there is nothing to reload from here
   */
  reload(): Promise<ReloadReport>
  /**
   * Changes the number of workers while they run.
   *
   * @throws {InvalidOption} not an integer from 1 to 1024
   * @throws {NotPrimary} this process is not the primary
   */
  scale(workers: number): Promise<void>
  /** Drains and ends; in a worker, only this worker, once its replacement is ready. */
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
 * @throws {ControlFailed} another process answers on the `control` socket
 */
export function runCluster(options: ClusterOptions): Promise<RunningCluster> {
  return run(options, false)
}

/** The same for an app that knows nothing of it: what it listens for, and how it ends, is as it is without. */
export function runUnchanged(options: ClusterOptions): Promise<RunningCluster> {
  return run(options, true)
}

async function run(options: ClusterOptions, isUnchanged: boolean): Promise<RunningCluster> {
  const resolved = resolveClusterOptions(options, isUnchanged)
  if (isOurWorker()) {
    await runWorker(resolved)
    return { ...notPrimary('worker'), decision: undefined, adminUrl: undefined, stop: askToStop }
  }
  const prepared = new LifecycleRegistry()
  const { env = {}, workers } = await prepare(resolved, prepared)
  const decision: WorkerDecision =
    workers === undefined
      ? decideWorkers({ workers: resolved.workers, resources: resources(), env: process.env })
      : { workers: workers.count, source: 'prepare', reason: workers.reason, resources: resources() }
  const systemd = systemdNotifier(process.env)
  const emit = emitter(resolved.log, ...(systemd === undefined ? [] : [systemd]))
  const needsPrimary = decision.workers > 1 || onlyByAPrimary(options).length > 0
  const start = needsPrimary ? startPrimary : startSingle
  if (!needsPrimary) tellIgnored(options, emit)
  return start({ options: resolved, decision, prepared, env, emit })
}

/** What was asked for and only another process can do: then there is one, also for a single worker. */
function onlyByAPrimary({ recycle, watchdog }: ClusterOptions): string[] {
  const { maxAgeMs, maxRequests, maxRssBytes } = recycle ?? {}
  const isLimited = (maxAgeMs ?? maxRequests ?? maxRssBytes) !== undefined
  return [...(isLimited ? ['recycle'] : []), ...(watchdog === undefined ? [] : ['watchdog'])]
}

/** Options that mean nothing to a process without a primary. */
function tellIgnored(options: ClusterOptions, emit: Emit): void {
  const names = (['respawn', 'breaker', 'reload', 'minReadyRatio', 'sticky', 'reusePort'] as const).filter(
    (name) => {
      const value = options[name]
      return typeof value === 'object' ? Object.keys(value).length > 0 : value !== undefined
    },
  )
  if (names.length === 0) return
  const message = `one process alone has no use for ${names.map((name) => `\`${name}\``).join(', ')}`
  emit({ type: 'warning', level: 'warn', message, workerId: 1 })
}

interface Start {
  options: ResolvedClusterOptions
  decision: WorkerDecision
  prepared: LifecycleRegistry
  env: Record<string, string>
  emit: Emit
}

async function startSingle({ options, decision, prepared, env, emit }: Start): Promise<RunningCluster> {
  Object.assign(process.env, env)
  const { adminUrl, stop } = await runSingle(options, decision, prepared, emit)
  const cluster: RunningCluster = { ...notPrimary('single'), decision, adminUrl, stop }
  await control(options, cluster)
  return cluster
}

async function startPrimary({ options, decision, prepared, env, emit }: Start): Promise<RunningCluster> {
  const warn = (message: string): void => emit({ type: 'warning', level: 'warn', message, workerId: 0 })
  for (const what of await unexpected()) {
    warn(
      `Node ${process.version}: ${what} is not as expected; connections may reach workers that are not ready`,
    )
  }
  if (options.reusePort && !canReusePort()) {
    warn(
      `Node ${process.version} has no \`reusePort\` on ${process.platform}: the primary shares out connections`,
    )
  }
  const primary = new Primary(options, decision, prepared, env, emit)
  await primary.start()
  const cluster: RunningCluster = {
    role: 'primary',
    decision,
    adminUrl: primary.adminUrl,
    get workers() {
      return primary.workers
    },
    reload: () => primary.reload(),
    scale: async (workers) => {
      if (integer(1, MAX_WORKERS)(workers) !== undefined) {
        throw new InvalidOption(`scale: the number of workers must be an integer from 1 to ${MAX_WORKERS}.`)
      }
      await primary.scale(() => workers)
    },
    stop: () => primary.stop('stop()'),
  }
  await control(options, cluster)
  return cluster
}

async function control({ control }: ResolvedClusterOptions, cluster: RunningCluster): Promise<void> {
  if (control === undefined) return
  await startControl(control, {
    reload: () => cluster.reload(),
    status: () => ({ role: cluster.role, workers: cluster.workers }),
    scale: (workers) => cluster.scale(workers as number),
    // Its end is the answer; whoever asks need not wait for it.
    stop: () => void cluster.stop(),
  })
}

function notPrimary(
  role: 'worker' | 'single',
): Pick<RunningCluster, 'role' | 'workers' | 'reload' | 'scale'> {
  return {
    role,
    workers: [],
    reload: async () => {
      throw new NotPrimary('reload', role)
    },
    scale: async () => {
      throw new NotPrimary('scale', role)
    },
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
