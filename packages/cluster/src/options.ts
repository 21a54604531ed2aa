import type { Server } from 'node:net'
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
import { type AdminOptions, resolveAdminOptions } from './admin/admin.js'
import { type DrainOptions, sayGoingAway } from './drain/drain.js'
import type { ClusterEvent } from './events.js'
import {
  type BreakerOptions,
  type RespawnOptions,
  resolveBreaker,
  resolveRespawn,
} from './primary/crash-policy.js'
import { type RecycleOptions, resolveRecycle } from './primary/recycle.js'
import { type ReloadOptions, resolveReload } from './primary/reload.js'
import { MAX_WORKERS } from './process/decision.js'
import { type HealthOptions, resolveHealth } from './worker/health.js'
import type { Lifecycle } from './worker/lifecycle.js'
import { resolveWatchdog, type WatchdogOptions } from './worker/pulse.js'

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
export interface ClusterDrainOptions {
  /**
   * How long new connections are still accepted after `/readyz` turns to 503; at least the probe period times its
   * failure threshold of the load balancer. Default: 5,000 with NODE_ENV=production and no terminal, else 0
   */
  delayMs?: number
  /** How long an idle connection may send one last request. Default 1,000 */
  lingerMs?: number
  /** Over how long clients that are kept alive are told to close, each at a moment of its own. Default 1,000 */
  spreadMs?: number
  /** Everything together: delay, requests in flight, hooks. Below the orchestrator's grace. Default 25,000 */
  timeoutMs?: number
  /** Ends one upgraded connection politely; see `DrainOptions`. Default: a WebSocket gets status 1001 */
  closeUpgraded?: NonNullable<DrainOptions['closeUpgraded']>
}

/** What holds where `drain` says nothing. */
export const clusterDrainDefaults: Readonly<Required<Omit<ClusterDrainOptions, 'delayMs'>>> = Object.freeze({
  lingerMs: 1_000,
  spreadMs: 1_000,
  timeoutMs: 25_000,
  closeUpgraded: sayGoingAway,
})

/** What `runCluster` takes. */
export interface ClusterOptions {
  /** Starts the app in this process and returns the server, or servers, that listen. Runs in every worker. */
  start: (context: StartContext) => Server | readonly Server[] | Promise<Server | readonly Server[]>
  /** Default `'auto'`: `WEB_CONCURRENCY`, else the CPUs that the control group leaves */
  workers?: number | 'auto'
  /** Runs once, before any worker, in the process that will be the primary or the only one. Default none */
  prepare?: (context: PrepareContext) => Prepared | undefined | Promise<Prepared | undefined>
  /** Probes, and what you add to them. Default none */
  admin?: AdminOptions
  /** How long a worker may take to be ready. Default 60,000 */
  bootTimeoutMs?: number
  /**
   * Whether all connections from one address go to one worker, in a cluster that clients reach without a balancer in between, such as
   * for the long polling of Socket.IO. Default false
   */
  sticky?: boolean
  /**
   * Each worker has a listening socket of its own on the same port, and the kernel shares out connections; a connection then costs the
   * primary nothing. What is lost by it: a worker gets connections from `listen` on, and a connection that arrives in the fraction of a
   * millisecond in which a worker closes its socket is reset. Linux and FreeBSD, Node 22.12 or 23.1; else a warning. Default false
   */
  reusePort?: boolean
  /** Share of workers that must be ready for `/readyz`; at least one always. Default 0.5 */
  minReadyRatio?: number
  /** When and how the process ends. Default: each of its own */
  drain?: ClusterDrainOptions
  /** When a worker that ended by itself is started again. Default: each of its own */
  respawn?: RespawnOptions
  /** When a worker, or the whole, has failed too often. Default: each of its own */
  breaker?: BreakerOptions
  /** How a rolling reload goes. Default: each of its own */
  reload?: ReloadOptions
  /** When a healthy worker is replaced all the same. Default: each of its own */
  recycle?: RecycleOptions
  /** How a stuck worker is found. Default: each of its own */
  watchdog?: WatchdogOptions
  /** How dependencies are watched. Default: each of its own */
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

/** What holds where `runCluster` is told nothing. */
export const clusterDefaults: Readonly<
  Required<
    Pick<
      ClusterOptions,
      'workers' | 'bootTimeoutMs' | 'sticky' | 'reusePort' | 'minReadyRatio' | 'loadBalancerIdleMs'
    >
  >
> = Object.freeze({
  workers: 'auto',
  bootTimeoutMs: 60_000,
  sticky: false,
  reusePort: false,
  minReadyRatio: 0.5,
  loadBalancerIdleMs: 60_000,
})

/** With every default filled in. */
export type ResolvedClusterOptions = Readonly<
  Pick<ClusterOptions, 'prepare' | 'control'> &
    Required<
      Pick<
        ClusterOptions,
        | 'start'
        | 'workers'
        | 'bootTimeoutMs'
        | 'sticky'
        | 'reusePort'
        | 'minReadyRatio'
        | 'loadBalancerIdleMs'
        | 'log'
      >
    > & {
      /** The app was not written for `runCluster`: it ends itself. */
      isUnchanged: boolean
      admin: Required<AdminOptions> | undefined
      drain: Required<ClusterDrainOptions>
      respawn: Required<RespawnOptions>
      breaker: Required<BreakerOptions>
      reload: Required<ReloadOptions>
      recycle: RecycleOptions
      watchdog: Required<WatchdogOptions>
      health: Required<HealthOptions>
    }
>

/** @throws {InvalidOption} in the primary and in every worker alike */
export function resolveClusterOptions(given: ClusterOptions, isUnchanged: boolean): ResolvedClusterOptions {
  const options = resolveOptions('runCluster', given, {
    checks: {
      start: func,
      workers: anyOf(integer(1, MAX_WORKERS), oneOf('auto')),
      prepare: func,
      admin: object,
      bootTimeoutMs: durationMs(),
      sticky: boolean,
      reusePort: boolean,
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
    defaults: { ...clusterDefaults, log: writeToStderr },
    required: ['start'],
  })
  if (options.sticky && options.reusePort) {
    throw new InvalidOption('runCluster: `sticky` needs the primary, which `reusePort` leaves out.')
  }
  return {
    ...options,
    isUnchanged,
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

function resolveDrain(given: ClusterDrainOptions | undefined): Required<ClusterDrainOptions> {
  const isDeployed = process.env.NODE_ENV === 'production' && !process.stdout.isTTY
  return resolveOptions('runCluster: drain', given, {
    checks: {
      delayMs: durationMs(0),
      lingerMs: durationMs(0),
      spreadMs: durationMs(0),
      timeoutMs: durationMs(),
      closeUpgraded: func,
    },
    defaults: { ...clusterDrainDefaults, delayMs: isDeployed ? DEPLOYED_DELAY_MS : 0 },
  })
}

/** Time for a load balancer that probes every second or two. */
const DEPLOYED_DELAY_MS = 5_000

function writeToStderr(event: ClusterEvent): void {
  if (event.level !== 'debug') process.stderr.write(`[cluster] ${event.message}\n`)
}
