import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import {
  anyOf,
  boolean,
  durationMs,
  func,
  InvalidOption,
  integer,
  number,
  object,
  oneOf,
  resolveOptions,
  string,
} from '@scale/core'
import { type AdminOptions, resolveAdminOptions } from './admin.js'
import { type DrainOptions, sayGoingAway } from './drain.js'
import type { ClusterEvent } from './events.js'
import type { HealthOptions } from './health.js'
import type { Lifecycle } from './lifecycle.js'
import type { WatchdogOptions } from './pulse.js'
import type { RecycleOptions } from './recycle.js'

/** What `start` is given. */
export interface StartContext {
  /** From 1 to `workers`; a worker that replaces another has its number. */
  workerId: number
  /** How many share the work: to divide pools and quotas by. */
  workers: number
  /** Aborts shortly before the drain ends: long answers (server-sent events) should come to an end. */
  signal: AbortSignal
  /** Clients and pools that start, are checked and stop with this process. */
  lifecycle: Lifecycle
}

/** What `prepare` is given. */
export interface PrepareContext {
  /** Of this process: what is added here stops after the last worker. */
  lifecycle: Lifecycle
}

/** What `prepare` may decide. */
export interface Prepared {
  /** Set in the environment of every worker, or of this process if it is the only one. */
  env?: Record<string, string>
  /** Overrules every other source of the number of workers. */
  workers?: { count: number; reason: string }
}

/** When and how the process ends. */
export interface DrainTimings {
  /**
   * How long new connections are still accepted after `/readyz` turns to 503; at least the probe period times its
   * failure threshold of the load balancer. Default 5,000 with NODE_ENV=production and no terminal, else 0
   */
  delayMs?: number
  /** How long an idle connection may send one last request. Default 1,000 */
  lingerMs?: number
  /** Everything together: delay, requests in flight, hooks. Below the orchestrator's grace. Default 25,000 */
  timeoutMs?: number
  /** Ends one upgraded connection politely; see `DrainOptions`. */
  closeUpgraded?: NonNullable<DrainOptions['closeUpgraded']>
}

/** When a worker that ended by itself is started again. */
export interface RespawnOptions {
  /** The first ceiling of the random wait; it doubles with each failure. Default 500 */
  baseMs?: number
  /** The last ceiling. Default 30,000 */
  maxMs?: number
  /** How long a worker must be ready for its failures to be forgotten. Default 60,000 */
  resetAfterMs?: number
}

/** When a worker, or the whole, has failed too often. */
export interface BreakerOptions {
  /** Boot failures per worker that end the primary, before all have been ready once. Default 3 */
  bootFailures?: number
  /** Exits of one worker that leave its place empty. Default 5 */
  exits?: number
  /** In which both are counted. Default 60,000 */
  windowMs?: number
  /** How long a place stays empty. Default 60,000 */
  openMs?: number
}

/** How a rolling reload goes. */
export interface ReloadOptions {
  /** How long the first new worker must stay ready and healthy before any old one goes. Default 5,000 */
  canaryMs?: number
}

export interface ClusterOptions {
  /** Starts the app in this process and returns the server, or servers, that listen. Runs in every worker. */
  start: (context: StartContext) => Server | readonly Server[] | Promise<Server | readonly Server[]>
  /** Default `'auto'`: `WEB_CONCURRENCY`, else the CPUs that the control group leaves */
  workers?: number | 'auto'
  /** Runs once, before any worker, in the process that will be the primary or the only one. */
  prepare?: (context: PrepareContext) => Prepared | undefined | Promise<Prepared | undefined>
  /** Probes, and what you add to them. Default none */
  admin?: AdminOptions
  /** How long a worker may take to be ready. Default 60,000 */
  bootTimeoutMs?: number
  /** Share of workers that must be ready for `/readyz`; at least one always. Default 0.5 */
  minReadyRatio?: number
  drain?: DrainTimings
  respawn?: RespawnOptions
  breaker?: BreakerOptions
  reload?: ReloadOptions
  recycle?: RecycleOptions
  watchdog?: WatchdogOptions
  health?: HealthOptions
  /**
   * How long the load balancer in front keeps an idle connection. Servers that have Node's own limit of 5 s get one that
   * is longer; a shorter one that was set by hand is warned of. 0 leaves them alone. Default 60,000
   */
  loadBalancerIdleMs?: number
  /**
   * Path of a Unix socket on which `scale-cluster reload`, `status`, `scale` and `stop` reach this cluster.
   * Default none; the command sets one
   */
  control?: string
  /** Gets every event worth a line, with the line in `message`. Default: written to stderr */
  log?: (event: ClusterEvent) => void
}

/** With every default filled in. */
export type ResolvedClusterOptions = Readonly<
  Pick<ClusterOptions, 'prepare' | 'control'> &
    Required<
      Pick<
        ClusterOptions,
        'start' | 'workers' | 'bootTimeoutMs' | 'minReadyRatio' | 'loadBalancerIdleMs' | 'log'
      >
    > & {
      admin: Required<AdminOptions> | undefined
      drain: Required<DrainTimings>
      respawn: Required<RespawnOptions>
      breaker: Required<BreakerOptions>
      reload: Required<ReloadOptions>
      recycle: RecycleOptions
      watchdog: Required<WatchdogOptions>
      health: Required<HealthOptions>
    }
>

/** @throws {InvalidOption} in the primary and in every worker alike */
export function resolveClusterOptions(given: ClusterOptions): ResolvedClusterOptions {
  const options = resolveOptions('runCluster', given, {
    checks: {
      start: func,
      workers: anyOf(integer(1, 1_024), oneOf('auto')),
      prepare: func,
      admin: object,
      bootTimeoutMs: durationMs(),
      minReadyRatio: number(0, 1),
      drain: object,
      respawn: object,
      breaker: object,
      reload: object,
      recycle: object,
      watchdog: object,
      health: object,
      loadBalancerIdleMs: durationMs(0),
      control: string(),
      log: func,
    },
    defaults: {
      workers: 'auto' as const,
      bootTimeoutMs: 60_000,
      minReadyRatio: 0.5,
      loadBalancerIdleMs: 60_000,
      log: writeToStderr,
    },
    required: ['start'],
  })
  return {
    ...options,
    admin: options.admin && resolveAdminOptions(options.admin),
    drain: resolveDrain(options.drain),
    respawn: resolveRespawn(options.respawn),
    breaker: resolveBreaker(options.breaker),
    reload: resolveReload(options.reload),
    recycle: resolveRecycle(options.recycle),
    watchdog: resolveWatchdog(options.watchdog),
    health: resolveHealth(options.health),
  }
}

function resolveDrain(given: DrainTimings | undefined): Required<DrainTimings> {
  const isDeployed = process.env.NODE_ENV === 'production' && !process.stdout.isTTY
  return resolveOptions('runCluster: drain', given, {
    checks: {
      delayMs: durationMs(0),
      lingerMs: durationMs(0),
      timeoutMs: durationMs(),
      closeUpgraded: func,
    },
    defaults: {
      delayMs: isDeployed ? 5_000 : 0,
      lingerMs: 1_000,
      timeoutMs: 25_000,
      closeUpgraded: sayGoingAway,
    },
  })
}

function resolveRespawn(given: RespawnOptions | undefined): Required<RespawnOptions> {
  return resolveOptions('runCluster: respawn', given, {
    checks: { baseMs: durationMs(), maxMs: durationMs(), resetAfterMs: durationMs() },
    defaults: { baseMs: 500, maxMs: 30_000, resetAfterMs: 60_000 },
  })
}

function resolveBreaker(given: BreakerOptions | undefined): Required<BreakerOptions> {
  return resolveOptions('runCluster: breaker', given, {
    checks: { bootFailures: integer(1), exits: integer(1), windowMs: durationMs(), openMs: durationMs() },
    defaults: { bootFailures: 3, exits: 5, windowMs: 60_000, openMs: 60_000 },
  })
}

function resolveReload(given: ReloadOptions | undefined): Required<ReloadOptions> {
  return resolveOptions('runCluster: reload', given, {
    checks: { canaryMs: durationMs(0) },
    defaults: { canaryMs: 5_000 },
  })
}

function resolveRecycle(given: RecycleOptions | undefined): RecycleOptions {
  return resolveOptions('runCluster: recycle', given, {
    checks: {
      maxAgeMs: durationMs(1, Number.MAX_SAFE_INTEGER),
      maxRequests: integer(1),
      maxRssBytes: integer(1),
      jitterRatio: number(0, 1),
    },
    defaults: { jitterRatio: 0.1 },
  })
}

function resolveWatchdog(given: WatchdogOptions | undefined): Required<WatchdogOptions> {
  const options = resolveOptions('runCluster: watchdog', given, {
    checks: { intervalMs: durationMs(), timeoutMs: durationMs(), thread: boolean, reportDirectory: string() },
    defaults: { intervalMs: 5_000, timeoutMs: 60_000, thread: true, reportDirectory: tmpdir() },
  })
  if (options.timeoutMs < 2 * options.intervalMs) {
    throw new InvalidOption('runCluster: `watchdog.timeoutMs` must be at least twice `watchdog.intervalMs`.')
  }
  return options
}

function resolveHealth(given: HealthOptions | undefined): Required<HealthOptions> {
  return resolveOptions('runCluster: health', given, {
    checks: { intervalMs: durationMs(), timeoutMs: durationMs(), failureThreshold: integer(1) },
    defaults: { intervalMs: 1_000, timeoutMs: 1_000, failureThreshold: 2 },
  })
}

function writeToStderr(event: ClusterEvent): void {
  if (event.level !== 'debug') process.stderr.write(`[cluster] ${event.message}\n`)
}
