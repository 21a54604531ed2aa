// What metrics cost the server: CPU per request, as a share of what Express 5 spends on answering 300 bytes of JSON behind
// a router. All variants in one run, in many short rounds; each is compared with the bare one of its round, so that what
// else runs on the machine hits both, and the median of the rounds counts.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Job } from './load.js'
import { variants } from './variants.js'

const ROUNDS = Number(process.env.ROUNDS ?? 31)
const REQUESTS = Number(process.env.REQUESTS ?? 4_000)
const WARM_UP = 4

interface Server {
  child: ChildProcess
  port: number
  costs: number[]
}

const load = start('load.ts')
const servers = new Map<string, Server>()
for (const name of Object.keys(variants)) {
  const child = start('server.ts', name)
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  servers.set(name, { child, port, costs: [] })
}

for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  for (const server of servers.values()) {
    const cost = await measure(server)
    // The first rounds warm up.
    if (round >= WARM_UP) server.costs.push(cost)
  }
}

const bare = servers.get('bare')!.costs
console.log('CPU on top of a bare Express 5 answer of 300 bytes of JSON, as a share of it')
for (const [name, { costs }] of servers) {
  if (name === 'bare') continue
  const share = median(costs.map((cost, round) => cost / bare[round]!)) - 1
  console.log(`${name.padEnd(44)}${share.toFixed(3).padStart(7)}`)
}
for (const { child } of servers.values()) child.disconnect()
load.disconnect()

/** CPU microseconds per request. */
async function measure({ child, port }: Server): Promise<number> {
  const before = await cpuOf(child)
  load.send({ port, requests: REQUESTS, connections: 32 } satisfies Job)
  const [{ answered }] = (await once(load, 'message')) as [{ answered: number }]
  if (answered !== REQUESTS) throw new Error(`${answered} of ${REQUESTS} requests were answered with 200`)
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
