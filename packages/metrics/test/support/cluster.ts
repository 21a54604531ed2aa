import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { ask, samplesIn } from './server.js'

/** A service of several workers, and their primary. */
export interface TestCluster {
  port: number
  adminPort: number
  /** Of the workers that listen or have listened, in the order in which they began. */
  pids: number[]
  scrape(): Promise<Map<string, number>>
}

/** Starts it and waits until all workers listen; it ends with the test. */
export async function startCluster(env: Record<string, string>): Promise<TestCluster> {
  const child: ChildProcess = fork(fileURLToPath(new URL('../fixtures/cluster.ts', import.meta.url)), {
    execArgv: ['--conditions=@scale/source', '--import', 'tsx'],
    env: { ...process.env, ...env },
  })
  onTestFinished(() => {
    if (child.connected) child.disconnect()
  })
  const cluster: TestCluster = {
    port: 0,
    adminPort: 0,
    pids: [],
    scrape: async () => samplesIn((await ask(cluster.adminPort)).text),
  }
  child.on('message', ({ port, adminPort, pid }: { port: number; adminPort: number; pid: number }) => {
    Object.assign(cluster, { port, adminPort })
    cluster.pids.push(pid)
  })
  await expect.poll(() => cluster.pids.length, { timeout: 20_000 }).toBe(Number(env.WORKERS))
  return cluster
}

/** What all series of a metric add up to. */
export function total(samples: Map<string, number>, name: string, labels: string = ''): number {
  let sum = 0
  for (const [series, value] of samples) {
    if ((series === name || series.startsWith(`${name}{`)) && series.includes(labels)) sum += value
  }
  return sum
}
