import type { Server } from 'node:net'
import { anyOf, durationMs, func, integer, number, object, oneOf, resolveOptions } from '@scale/core'
import { type AdminOptions, resolveAdminOptions } from './admin.js'
import type { ClusterEvent } from './events.js'
import type { HealthOptions } from './health.js'
import type { Lifecycle } from './lifecycle.js'

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
  health?: HealthOptions
  /** Gets every event worth a line, with the line in `message`. Default: written to stderr */
  log?: (event: ClusterEvent) => void
}

/** With every default filled in. */
export type ResolvedClusterOptions = Readonly<
  Omit<ClusterOptions, 'admin' | 'drain' | 'respawn' | 'health'> &
    Required<Pick<ClusterOptions, 'workers' | 'bootTimeoutMs' | 'minReadyRatio' | 'log'>> & {
      admin: Required<AdminOptions> | undefined
      drain: Required<DrainTimings>
      respawn: Required<RespawnOptions>
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
      health: object,
      log: func,
    },
    defaults: {
      workers: 'auto' as const,
      bootTimeoutMs: 60_000,
      minReadyRatio: 0.5,
      log: writeToStderr,
    },
    required: ['start'],
  })
  return {
    ...options,
    admin: options.admin && resolveAdminOptions(options.admin),
    drain: resolveDrain(options.drain),
    respawn: resolveRespawn(options.respawn),
    health: resolveHealth(options.health),
  }
}

function resolveDrain(given: DrainTimings | undefined): Required<DrainTimings> {
  const isDeployed = process.env.NODE_ENV === 'production' && !process.stdout.isTTY
  return resolveOptions('runCluster: drain', given, {
    checks: { delayMs: durationMs(0), lingerMs: durationMs(0), timeoutMs: durationMs() },
    defaults: { delayMs: isDeployed ? 5_000 : 0, lingerMs: 1_000, timeoutMs: 25_000 },
  })
}

function resolveRespawn(given: RespawnOptions | undefined): Required<RespawnOptions> {
  return resolveOptions('runCluster: respawn', given, {
    checks: { baseMs: durationMs(), maxMs: durationMs(), resetAfterMs: durationMs() },
    defaults: { baseMs: 500, maxMs: 30_000, resetAfterMs: 60_000 },
  })
}

function resolveHealth(given: HealthOptions | undefined): Required<HealthOptions> {
  return resolveOptions('runCluster: health', given, {
    checks: { intervalMs: durationMs(), timeoutMs: durationMs(), failureThreshold: integer(1) },
    defaults: { intervalMs: 1_000, timeoutMs: 1_000, failureThreshold: 2 },
  })
}

function writeToStderr(event: ClusterEvent): void {
  process.stderr.write(`[cluster] ${event.message}\n`)
}
