import { once } from 'node:events'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import express from 'express'
import { pool } from '../src/index.js'

// How long other routes wait while reports of two seconds are computed. `pnpm --filter @scale/workers bench`

interface Tasks {
  compute(ms: number): number
  echo(input: unknown): unknown
}

const PHASE_MS = 10_000
const EVERY_MS = 5

const threads = pool<Tasks>(new URL('./tasks.mjs', import.meta.url), { threads: 1, deadlineMs: 600_000 })
await threads.ready()

function computeHere(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

const app = express()
app.get('/quick', (_req, res) => {
  res.json({ ok: true })
})
app.get('/threads', async (_req, res) => {
  await threads.run('compute', 2_000)
  res.end()
})
app.get('/loop', (_req, res) => {
  computeHere(2_000)
  res.end()
})
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

// The client has a loop of its own; requests come when they come, and count from when they were due.
const client = new Worker(
  `
  const { parentPort, workerData: { port, phaseMs, everyMs } } = require('node:worker_threads')
  const { Agent, get } = require('node:http')
  const agent = new Agent({ keepAlive: true })
  parentPort.on('message', async () => {
    const times = []
    const startedAt = performance.now()
    const open = []
    for (let id = 0; id * everyMs < phaseMs; id++) {
      const dueAt = startedAt + id * everyMs
      const waitMs = dueAt - performance.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      open.push(new Promise((resolve) => {
        get({ port, path: '/quick', agent }, (res) => {
          res.resume()
          res.on('end', () => { times.push(performance.now() - dueAt); resolve() })
        }).on('error', () => { times.push(Infinity); resolve() })
      }))
    }
    await Promise.all(open)
    parentPort.postMessage(times)
  })
`,
  { eval: true, workerData: { port, phaseMs: PHASE_MS, everyMs: EVERY_MS } },
)

async function measure(path?: string): Promise<number[]> {
  let isOver = false
  const reports = async (): Promise<void> => {
    while (path !== undefined && !isOver) {
      await new Promise((resolve) => request({ port, path }, (res) => res.resume().on('end', resolve)).end())
    }
  }
  const running = reports()
  await sleep(100)
  client.postMessage('go')
  const times = await new Promise<number[]>((resolve) => client.once('message', resolve))
  isOver = true
  await running
  return times.sort((a, b) => a - b)
}

const at = (times: number[], share: number): string => times[Math.floor(times.length * share)]!.toFixed(2)

await measure()
for (const [name, path] of [
  ['idle', undefined],
  ['a report at a time, on a thread', '/threads'],
  ['idle', undefined],
  ['a report at a time, on a thread', '/threads'],
  ['a report at a time, on the loop', '/loop'],
] as const) {
  const times = await measure(path)
  console.log(`${name.padEnd(34)} median ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms`)
}

const startedAt = performance.now()
for (let id = 0; id < 10_000; id++) await threads.run('echo', { id })
console.log(
  `a task of nothing, there and back: ${(((performance.now() - startedAt) / 10_000) * 1_000).toFixed(0)} µs`,
)

const stops: number[] = []
for (let round = 0; round < 20; round++) {
  const caller = new AbortController()
  const task = threads.run('compute', 60_000, { signal: caller.signal }).catch(() => {})
  await sleep(20)
  const abortedAt = performance.now()
  caller.abort()
  await task
  // The next one runs on the thread that replaces it.
  await threads.run('echo', 1)
  stops.push(performance.now() - abortedAt)
}
console.log(
  `from an abort until the place runs another task: ${at(
    stops.sort((a, b) => a - b),
    0.5,
  )} ms`,
)

await threads.close()
await client.terminate()
server.close()
server.closeAllConnections()
