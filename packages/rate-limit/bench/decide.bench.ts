// What a decision costs the server, as a share of what bare Express spends on an answer of 300 bytes of JSON.
// All variants in one run, in many short rounds. The lower quartile of the rounds counts: whatever else the machine does
// only adds to the others. No absolute time is compared.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { testRedis } from '@scale/devkit/redis-server'
import type { Job } from './load.js'
import { variants } from './variants.js'

const ROUNDS = Number(process.env.ROUNDS ?? 24)
const REQUESTS = Number(process.env.REQUESTS ?? 3_000)
const only = process.argv.slice(2)
const names = Object.keys(variants).filter(
  (name) => name === 'bare' || only.length === 0 || only.includes(name),
)

const redis = await testRedis()
const load = start('load.ts')
const servers = new Map<string, { child: ChildProcess; port: number; costs: number[] }>()
for (const name of names) {
  const child = start('server.ts', name, redis.url)
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  servers.set(name, { child, port, costs: [] })
}

for (let round = 0; round <= ROUNDS + 2; round++) {
  for (const [name, server] of servers) {
    const microseconds = await measure(name, server)
    // The first rounds warm up.
    if (round > 2) server.costs.push(microseconds)
  }
}

const bare = lowerQuartile(servers.get('bare')!.costs)
console.log(`bare Express: ${bare.toFixed(1)} µs of CPU per answer on this machine\n`)
for (const [name, { costs }] of servers) {
  if (name === 'bare') continue
  const cost = lowerQuartile(costs)
  console.log(`${name.padEnd(34)} ${(cost / bare - 1).toFixed(2).padStart(6)} of a bare answer on top`)
}
for (const { child } of servers.values()) child.disconnect()
load.disconnect()
await redis.stop()

async function measure(
  name: string,
  { child, port }: { child: ChildProcess; port: number },
): Promise<number> {
  const before = await cpuOf(child)
  load.send({
    port,
    requests: REQUESTS,
    connections: 64,
    clients: name.includes('refused') ? 64 : 4_096,
  } satisfies Job)
  const [{ statuses }] = (await once(load, 'message')) as [{ statuses: Record<string, number> }]
  const wanted = name.includes('refused') ? '429' : '200'
  if ((statuses[wanted] ?? 0) < REQUESTS * 0.95) throw new Error(`${name}: ${JSON.stringify(statuses)}`)
  return ((await cpuOf(child)) - before) / REQUESTS
}

async function cpuOf(child: ChildProcess): Promise<number> {
  const answer = once(child, 'message')
  child.send('cpu')
  const [{ cpu }] = (await answer) as [{ cpu: NodeJS.CpuUsage }]
  return cpu.user + cpu.system
}

function start(file: string, ...args: string[]): ChildProcess {
  return fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    env: { ...process.env, NODE_ENV: 'production' },
    execArgv: process.execArgv,
  })
}

function lowerQuartile(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 4)]!
}
