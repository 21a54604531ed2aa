import { InvalidOption } from '@scale/core'
import type { Resources } from './resources.js'

/** How many workers, and why. */
export interface WorkerDecision {
  /** At least 1; 1 means no cluster module, everything in this process. */
  workers: number
  /** What had the last word. */
  source: 'option' | 'prepare' | 'WEB_CONCURRENCY' | 'quota' | 'cpus' | 'memory'
  /** The same in words: `cgroup quota of 2.5 CPUs`. */
  reason: string
  /** What the kernel leaves to this process. */
  resources: Resources
}

/** What a worker and what comes with it needs at least, for the number of workers by a memory limit. */
const WORKER_BYTES = 256 * 2 ** 20
/** The part of a worker's share that V8 may fill with long-lived objects; the rest is code, buffers and stacks. */
const HEAP_SHARE = 0.75

/** More than any machine that Node runs on can use. */
export const MAX_WORKERS = 1_024

/**
 * Decides the number of workers: what code says, else `WEB_CONCURRENCY`, else the whole CPUs of the control
 * group's quota (a quota under one CPU is one worker), never more than the CPUs there are
 * and, under a memory limit of the control group, never more than have 256 MiB each.
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
  const { cpus, cpuQuota, memoryBytes } = resources
  const byCpu = cpuQuota === undefined ? cpus : Math.min(cpus, Math.max(1, Math.floor(cpuQuota)))
  const byMemory = memoryBytes === undefined ? cpus : Math.max(1, Math.floor(memoryBytes / WORKER_BYTES))
  if (byMemory < byCpu) {
    const reason = `memory limit of ${Math.round(memoryBytes! / 2 ** 20)} MiB, 256 MiB for each`
    return { workers: byMemory, source: 'memory', reason, resources }
  }
  if (cpuQuota !== undefined && cpuQuota < cpus) {
    const reason = `cgroup quota of ${Number(cpuQuota.toFixed(2))} of ${cpus} CPUs`
    return { workers: byCpu, source: 'quota', reason, resources }
  }
  return { workers: cpus, source: 'cpus', reason: cpus === 1 ? '1 CPU' : `${cpus} CPUs`, resources }
}

/**
 * The flag that keeps a worker's heap within its share of the memory limit, one share being left for the worker that replaces
 * another; none without a limit, or where somebody has set the size of the heap.
 *
 * @param flags  of Node: `execArgv` and `NODE_OPTIONS`
 */
export function heapFlags({ workers, resources }: WorkerDecision, flags: readonly string[]): string[] {
  const { memoryBytes } = resources
  const isSet = flags.some((flag) => /--max[-_](old[-_]space|heap)[-_]size/.test(flag))
  if (memoryBytes === undefined || isSet) return []
  return [
    `--max-old-space-size=${Math.max(1, Math.floor(((memoryBytes / (workers + 1)) * HEAP_SHARE) / 2 ** 20))}`,
  ]
}

function parseConcurrency(text: string): number {
  const workers = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (workers >= 1 && workers <= MAX_WORKERS) return workers
  throw new InvalidOption(`runCluster: WEB_CONCURRENCY must be an integer from 1 to ${MAX_WORKERS}.`)
}
