import { InvalidOption } from '@scale/core'
import type { Resources } from './resources.js'

/** How many workers, and why. */
export interface WorkerDecision {
  /** At least 1; 1 means no cluster module, everything in this process. */
  workers: number
  /** What had the last word. */
  source: 'option' | 'prepare' | 'WEB_CONCURRENCY' | 'quota' | 'cpus'
  /** The same in words: `cgroup quota of 2.5 CPUs`. */
  reason: string
  /** What the kernel leaves to this process. */
  resources: Resources
}

/** More than any machine that Node runs on can use. */
export const MAX_WORKERS = 1_024

/**
 * Decides the number of workers: what code says, else `WEB_CONCURRENCY`, else the whole CPUs of the control
 * group's quota (a quota under one CPU is one worker), never more than the CPUs there are.
 *
 * @throws {InvalidOption} `WEB_CONCURRENCY` is set and is not an integer from 1 to 1024
 */
export function decideWorkers(given: {
  /** What the code asks for. */
  workers?: number | 'auto' | undefined
  resources: Resources
  env: Readonly<Record<string, string | undefined>>
}): WorkerDecision {
  const { workers, resources, env } = given
  if (typeof workers === 'number') {
    return { workers, source: 'option', reason: 'the `workers` option', resources }
  }
  if (env.WEB_CONCURRENCY !== undefined && env.WEB_CONCURRENCY !== '') {
    return {
      workers: parseConcurrency(env.WEB_CONCURRENCY),
      source: 'WEB_CONCURRENCY',
      reason: 'WEB_CONCURRENCY',
      resources,
    }
  }
  const { cpus, cpuQuota } = resources
  if (cpuQuota !== undefined && cpuQuota < cpus) {
    const reason = `cgroup quota of ${Number(cpuQuota.toFixed(2))} of ${cpus} CPUs`
    return { workers: Math.max(1, Math.floor(cpuQuota)), source: 'quota', reason, resources }
  }
  return { workers: cpus, source: 'cpus', reason: cpus === 1 ? '1 CPU' : `${cpus} CPUs`, resources }
}

function parseConcurrency(text: string): number {
  const workers = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (workers >= 1 && workers <= MAX_WORKERS) return workers
  throw new InvalidOption(`runCluster: WEB_CONCURRENCY must be an integer from 1 to ${MAX_WORKERS}.`)
}
