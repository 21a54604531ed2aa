import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/** What this process may use, as the kernel limits it. */
export interface Resources {
  /** CPUs that the scheduler may place this process on; at least 1. */
  cpus: number
  /** CPU time per wall time that the control group allows, such as 1.5; `undefined` without a quota. */
  cpuQuota: number | undefined
  /** Memory limit of the control group; `undefined` without one. */
  memoryBytes: number | undefined
}

/**
 * Reads what the machine and the control group (v1 or v2, every level up to the root) leave to this process.
 *
 * `os.availableParallelism()` alone is not enough: below libuv 1.49 it knows no quota, and above it a quota
 * under one CPU gives the count of the host (nodejs/node#59200).
 *
 * @param root  where `/proc` and `/sys` are mounted. Default `/`
 */
export function resources(root: string = '/'): Resources {
  const groups = controlGroups(read(join(root, 'proc/self/cgroup')))
  const mount = join(root, 'sys/fs/cgroup')
  return {
    cpus: Math.max(1, availableParallelism()),
    cpuQuota: lowest([...quotasV2(mount, groups), ...quotasV1(mount, groups)]),
    memoryBytes: lowest(memoryLimits(mount, groups)),
  }
}

interface ControlGroup {
  /** `''` for the one hierarchy of v2, else `cpu`, `memory`, … */
  controllers: string
  path: string
}

/** Lines of `/proc/self/cgroup`: `hierarchy:controllers:path`. */
function controlGroups(text: string | undefined): ControlGroup[] {
  return (text ?? '').split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    return controllers === undefined || path === undefined ? [] : [{ controllers, path }]
  })
}

/** The group's folder and all above it. A container often sees its own group as the root, whatever its path says. */
function upwards(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..')
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/')).concat('')
}

function filesOf(mounts: string[], groups: ControlGroup[], controller: string, file: string): string[] {
  const group = groups.find(({ controllers }) => controllers.split(',').includes(controller))
  return mounts.flatMap((mount) =>
    upwards(group?.path ?? '/')
      .map((path) => read(join(mount, path, file)))
      .filter((text) => text !== undefined),
  )
}

/** `cpu.max`: quota and period in µs, or `max`. */
function quotasV2(mount: string, groups: ControlGroup[]): number[] {
  return filesOf([mount, join(mount, 'unified')], groups, '', 'cpu.max')
    .map((text) => text.split(/\s+/).map(Number))
    .flatMap(([quota, period]) => (quota! > 0 && period! > 0 ? [quota! / period!] : []))
}

/** `cpu.cfs_quota_us` over `cpu.cfs_period_us`; −1 is no limit. */
function quotasV1(mount: string, groups: ControlGroup[]): number[] {
  const mounts = ['cpu', 'cpu,cpuacct'].map((name) => join(mount, name))
  const quotas = filesOf(mounts, groups, 'cpu', 'cpu.cfs_quota_us').map(Number)
  const periods = filesOf(mounts, groups, 'cpu', 'cpu.cfs_period_us').map(Number)
  return quotas.flatMap((quota, index) => (quota > 0 && periods[index]! > 0 ? [quota / periods[index]!] : []))
}

/** v1 writes "no limit" as the largest page-aligned number; no machine has a petabyte. */
const NO_MEMORY_LIMIT = 2 ** 50

function memoryLimits(mount: string, groups: ControlGroup[]): number[] {
  return [
    ...filesOf([mount, join(mount, 'unified')], groups, '', 'memory.max'),
    ...filesOf([join(mount, 'memory')], groups, 'memory', 'memory.limit_in_bytes'),
  ]
    .map(Number)
    .filter((bytes) => bytes > 0 && bytes < NO_MEMORY_LIMIT)
}

function lowest(values: number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    // Not this kind of system, or not ours to read: then it sets no limit that we can know.
    return undefined
  }
}
