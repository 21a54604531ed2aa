import { nodeBinary } from '@scale/devkit/npm-package'
import { cpuMs, startContestant, stop, wrk } from './processes.js'

// CPU per request and requests per second of each way to run one app, as ratios within one run.

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const SECONDS = 3

interface Setting {
  /** The program. Default: this Node */
  node?: string
  /** For wrk, such as headers. Default none */
  wrkArgs?: string[]
}

async function measure(
  contestant: string,
  port: number,
  { node = process.execPath, wrkArgs = [] }: Setting,
): Promise<{ cpuPerRequestUs: number; perSecond: number }> {
  const child = await startContestant(contestant, { PORT: String(port) }, node)
  const url = `http://127.0.0.1:${port}/`
  // Both workers are up and warm by then.
  await wrk(url, 2, 32, wrkArgs)
  const before = cpuMs(child.pid!)
  const { requests, requestsPerSecond } = await wrk(url, SECONDS, 32, wrkArgs)
  const used = cpuMs(child.pid!) - before
  await stop(child)
  return { cpuPerRequestUs: (used * 1_000) / requests, perSecond: requestsPerSecond }
}

async function compare(contestants: string[], setting: Setting = {}): Promise<void> {
  const results = new Map(contestants.map((name) => [name, { cpu: [] as number[], rate: [] as number[] }]))
  let port = 22_000
  for (let round = 0; round < ROUNDS; round++) {
    // The order turns, so that nobody is always the one after a rest.
    const order = contestants.map((_, index) => contestants[(index + round) % contestants.length]!)
    for (const name of order) {
      const { cpuPerRequestUs, perSecond } = await measure(name, port++, setting)
      results.get(name)!.cpu.push(cpuPerRequestUs)
      results.get(name)!.rate.push(perSecond)
    }
  }
  const [base] = results.values()
  for (const [name, { cpu, rate }] of results) {
    const cpuRatio = median(cpu.map((value, round) => value / base!.cpu[round]!))
    const rateRatio = median(rate.map((value, round) => value / base!.rate[round]!))
    process.stdout.write(
      `${name} | ${median(cpu).toFixed(1)} µs CPU per request, × ${cpuRatio.toFixed(3)} | ` +
        `${Math.round(median(rate))} requests/s, × ${rateRatio.toFixed(2)}\n`,
    )
  }
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

const comparisons: Record<string, () => Promise<void>> = {
  apps: () => compare(['one process', 'scale, 1 worker', 'node:cluster, 2 workers', 'scale, 2 workers']),
  accounting: () => compare(['without accounting', 'with accounting']),
  // `reusePort` needs a newer Node.
  kept: async () => compare(['round robin', 'reusePort'], { node: await nodeBinary(24) }),
  anew: async () =>
    compare(['round robin', 'reusePort'], {
      node: await nodeBinary(24),
      wrkArgs: ['-H', 'Connection: close'],
    }),
}

const { COMPARE: only } = process.env
for (const [name, run] of Object.entries(comparisons)) {
  if (only !== undefined && only !== name) continue
  process.stdout.write(`${name}\n`)
  await run()
}
