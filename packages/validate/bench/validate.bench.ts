// What validation costs the server: CPU per request, as a share of what Express spends on the same request with a
// parsed body and no validation. All variants in one run, in many short rounds; each is compared with the bare one of
// its round, so that what else runs on the machine hits both, and the median of the rounds counts.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Job } from './load.js'
import { variants } from './variants.js'

const ROUNDS = Number(process.env.ROUNDS ?? 31)
const REQUESTS = Number(process.env.REQUESTS ?? 1_500)
const WARM_UP = 4

interface Server {
  child: ChildProcess
  port: number
  accepted: number[]
  refused: number[]
}

const load = start('load.ts')
const servers = new Map<string, Server>()
for (const name of Object.keys(variants)) {
  const child = start('server.ts', name)
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  servers.set(name, { child, port, accepted: [], refused: [] })
}

for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  for (const [name, server] of servers) {
    const accepted = await measure(server, 'good', [200])
    const refused = name === 'bare' ? accepted : await measure(server, 'bad', [400, 422])
    // The first rounds warm up.
    if (round < WARM_UP) continue
    server.accepted.push(accepted)
    server.refused.push(refused)
  }
}

const bare = servers.get('bare')!.accepted
console.log('CPU on top of an Express 5 request with a parsed JSON body, as a share of it')
console.log(`${''.padEnd(44)}accepted  refused`)
for (const [name, { accepted, refused }] of servers) {
  if (name !== 'bare') console.log(`${name.padEnd(44)}${share(accepted)}  ${share(refused)}`)
}
for (const { child } of servers.values()) child.disconnect()
load.disconnect()

function share(costs: number[]): string {
  return (median(costs.map((cost, round) => cost / bare[round]!)) - 1).toFixed(2).padStart(7)
}

/** CPU microseconds per request. */
async function measure({ child, port }: Server, kind: Job['kind'], wanted: number[]): Promise<number> {
  const before = await cpuOf(child)
  load.send({ port, requests: REQUESTS, connections: 32, kind } satisfies Job)
  const [{ statuses }] = (await once(load, 'message')) as [{ statuses: Record<string, number> }]
  const good = wanted.reduce((sum, status) => sum + (statuses[status] ?? 0), 0)
  if (good !== REQUESTS) throw new Error(`${kind}: ${JSON.stringify(statuses)}`)
  return ((await cpuOf(child)) - before) / REQUESTS
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const [{ cpu }] = (await once(child, 'message')) as [{ cpu: NodeJS.CpuUsage }]
  return cpu.user + cpu.system
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

function start(file: string, ...args: string[]): ChildProcess {
  return fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    execArgv: [...process.execArgv],
    stdio: 'inherit',
  })
}
