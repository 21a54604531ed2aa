import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decideWorkers, resources } from '../src/index.js'
import { temporaryFolder } from './app-process.js'

const cpus = availableParallelism()

describe('resources', () => {
  test.for<[string, Record<string, string>, { cpuQuota?: number; memoryBytes?: number }]>([
    ['no control group', {}, {}],
    [
      'v2, as a container sees it',
      {
        'proc/self/cgroup': '0::/',
        'sys/fs/cgroup/cpu.max': '150000 100000',
        'sys/fs/cgroup/memory.max': '1000',
      },
      { cpuQuota: 1.5, memoryBytes: 1000 },
    ],
    [
      'v2, no limit',
      {
        'proc/self/cgroup': '0::/',
        'sys/fs/cgroup/cpu.max': 'max 100000',
        'sys/fs/cgroup/memory.max': 'max',
      },
      {},
    ],
    [
      'v2, the tightest of all levels',
      {
        'proc/self/cgroup': '0::/a.slice/b.service',
        'sys/fs/cgroup/a.slice/b.service/cpu.max': '400000 100000',
        'sys/fs/cgroup/a.slice/cpu.max': '50000 100000',
        'sys/fs/cgroup/a.slice/b.service/memory.max': '3000',
        'sys/fs/cgroup/memory.max': '9000',
      },
      { cpuQuota: 0.5, memoryBytes: 3000 },
    ],
    [
      'v1, joined controllers, own group seen as the root',
      {
        'proc/self/cgroup': '4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/',
        'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '200000',
        'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '5000',
      },
      { cpuQuota: 2, memoryBytes: 5000 },
    ],
    [
      'v1, no limit',
      {
        'proc/self/cgroup': '4:memory:/\n2:cpu:/',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
      },
      {},
    ],
    ['nonsense', { 'proc/self/cgroup': 'x', 'sys/fs/cgroup/cpu.max': 'many few' }, {}],
  ])('%s', ([, files, { cpuQuota, memoryBytes }]) => {
    const root = temporaryFolder()
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), `${text}\n`)
    }
    expect(resources(root)).toEqual({ cpus, cpuQuota, memoryBytes })
  })

  test('of this machine', () => {
    expect(resources().cpus).toBe(cpus)
  })
})

describe('decideWorkers', () => {
  const of = (cpuQuota: number | undefined, env: Record<string, string> = {}, workers?: number | 'auto') =>
    decideWorkers({ workers, env, resources: { cpus: 8, cpuQuota, memoryBytes: undefined } })

  test.for([
    [of(undefined), 8, 'cpus', '8 CPUs'],
    [of(undefined, {}, 'auto'), 8, 'cpus', '8 CPUs'],
    [of(2.5), 2, 'quota', 'cgroup quota of 2.5 of 8 CPUs'],
    [of(0.25), 1, 'quota', 'cgroup quota of 0.25 of 8 CPUs'],
    [of(16), 8, 'cpus', '8 CPUs'],
    [of(2.5, { WEB_CONCURRENCY: '5' }), 5, 'WEB_CONCURRENCY', 'WEB_CONCURRENCY'],
    [of(2.5, { WEB_CONCURRENCY: '' }), 2, 'quota', 'cgroup quota of 2.5 of 8 CPUs'],
    [of(2.5, { WEB_CONCURRENCY: '5' }, 3), 3, 'option', 'the `workers` option'],
  ] as const)('%#', ([decision, workers, source, reason]) => {
    expect(decision).toMatchObject({ workers, source, reason })
  })

  test.for(['0', '-1', '1.5', 'two', '1025', '1e3', ' 2'])('WEB_CONCURRENCY %o is refused', (value) => {
    expect(() => of(undefined, { WEB_CONCURRENCY: value })).toThrow(
      'runCluster: WEB_CONCURRENCY must be an integer from 1 to 1024.',
    )
  })
})
