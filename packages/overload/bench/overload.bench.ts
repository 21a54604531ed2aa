// Open-loop load: requests come when they come, whether or not the ones before are answered, and their latency counts
// from the moment they were due. Half of what the process can do, three times that, and half again.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'

const SUBJECTS = ['bare', 'toobusy-js', 'overload-protection', 'ours, at most 20', 'ours']
const PHASES = [
  { name: '0.5 ×', load: 0.5, forMs: 5_000 },
  { name: '3 ×', load: 3, forMs: 12_000 },
  { name: '0.5 × again', load: 0.5, forMs: 6_000 },
]
/** An answer that comes later is of no use. */
const USEFUL_MS = 1_000
const TIMEOUT_MS = 10_000

interface Shot {
  dueAt: number
  phase: number
  important: boolean
  slow: boolean
  status: number
  tookMs: number
}

const quantile = (values: number[], q: number): number =>
  values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN

/** By how many it answers a second when 64 clients wait for each answer. */
async function capacityOf(port: number): Promise<number> {
  let [answers, going] = [0, true]
  const agent = new Agent({ keepAlive: true })
  const client = async (): Promise<void> => {
    while (going) {
      const { status } = await shoot(port, agent, false, false, performance.now())
      if (status === 200) answers++
    }
  }
  const clients = Array.from({ length: 64 }, client)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const [before, startedAt] = [answers, performance.now()]
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  const perSecond = ((answers - before) / (performance.now() - startedAt)) * 1_000
  going = false
  await Promise.all(clients)
  agent.destroy()
  return perSecond
}

function shoot(
  port: number,
  agent: Agent,
  important: boolean,
  slow: boolean,
  dueAt: number,
): Promise<{ status: number; tookMs: number }> {
  return new Promise((resolve) => {
    const path = `${slow ? '/slow' : '/usual'}${important ? '?p=0' : ''}`
    const done = (status: number): void => resolve({ status, tookMs: performance.now() - dueAt })
    const req = request({ host: '127.0.0.1', port, path, agent, timeout: TIMEOUT_MS }, (res) => {
      res.resume()
      res.on('end', () => done(res.statusCode!))
      res.on('error', () => done(0))
    })
    req.on('timeout', () => req.destroy())
    req.on('error', () => done(0))
    req.end()
  })
}

async function started(
  subject: string,
): Promise<{ port: number; stop: () => void; rssMb: () => Promise<number> }> {
  const child = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [subject], {
    execArgv: process.execArgv,
  })
  const [port] = (await once(child, 'message')) as [number]
  const { readFile } = await import('node:fs/promises')
  return {
    port,
    stop: () => void child.kill('SIGKILL'),
    rssMb: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
      return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN) / 1_024
    },
  }
}

async function measured(subject: string, capacity: number): Promise<void> {
  const { port, stop, rssMb } = await started(subject)
  const agent = new Agent({ keepAlive: true })
  const shots: Shot[] = []
  const open: Promise<void>[] = []
  let dueAt = performance.now()
  const phaseStarts: number[] = []
  for (const [phase, { load, forMs }] of PHASES.entries()) {
    phaseStarts.push(dueAt)
    const until = dueAt + forMs
    while (dueAt < until) {
      dueAt -= Math.log(1 - Math.random()) * (1_000 / (capacity * load))
      const waitMs = dueAt - performance.now()
      if (waitMs > 0.5) await new Promise((resolve) => setTimeout(resolve, waitMs))
      const [important, slow] = [Math.random() < 0.15, Math.random() < 0.05]
      const due = dueAt
      open.push(
        shoot(port, agent, important, slow, due).then(({ status, tookMs }) => {
          shots.push({ dueAt: due, phase, important, slow, status, tookMs })
        }),
      )
    }
  }
  await Promise.all(open)
  const memory = await rssMb()
  stop()
  agent.destroy()
  const row = PHASES.map(({ forMs }, phase) => {
    const all = shots.filter((shot) => shot.phase === phase && !shot.slow)
    const answered = all.filter(({ status }) => status === 200)
    const everything = shots.filter((shot) => shot.phase === phase)
    const good = everything.filter(({ status, tookMs }) => status === 200 && tookMs <= USEFUL_MS)
    return {
      goodput: good.length / (forMs / 1_000) / capacity,
      p50: quantile(
        answered.map(({ tookMs }) => tookMs),
        0.5,
      ),
      p99: quantile(
        answered.map(({ tookMs }) => tookMs),
        0.99,
      ),
      lost: everything.filter(({ important, status }) => important && status !== 200).length,
      important: everything.filter(({ important }) => important).length,
      refusalMs: quantile(
        all.filter(({ status }) => status === 503).map(({ tookMs }) => tookMs),
        0.99,
      ),
    }
  })
  const [idle, full] = row as [(typeof row)[0], (typeof row)[0], (typeof row)[0]]
  const recovered = recoveryMs(shots, phaseStarts[2]!, idle.p99)
  console.log(
    `| ${subject} | ${full.goodput.toFixed(2)} | ${idle.p99.toFixed(0)} | ${full.p50.toFixed(0)} | ${full.p99.toFixed(0)} | ${full.refusalMs.toFixed(0)} | ` +
      `${full.lost} of ${full.important} | ${recovered.toFixed(1)} | ${memory.toFixed(0)} |`,
  )
}

/** Seconds after the burst until the p95 of 500 ms is at most three times what it was idle. */
function recoveryMs(shots: Shot[], fromMs: number, idleP99: number): number {
  for (let start = 0; start < 6_000; start += 250) {
    const window = shots.filter(
      ({ dueAt, slow }) => !slow && dueAt >= fromMs + start && dueAt < fromMs + start + 500,
    )
    const failed = window.filter(({ status }) => status !== 200).length
    if (
      failed === 0 &&
      quantile(
        window.map(({ tookMs }) => tookMs),
        0.95,
      ) <=
        idleP99 * 3
    )
      return start / 1_000
  }
  return Number.NaN
}

const bare = await started('bare')
const capacity = await capacityOf(bare.port)
bare.stop()
console.log(
  `capacity ${capacity.toFixed(0)} a second: one process, each request computes 2 ms and waits 20 ms; 5 % wait 500 ms\n`,
)
console.log(
  '| | goodput at 3 × / capacity | p99 at 0.5 ×, ms | p50 at 3 × | p99 at 3 × | p99 of refusals | important lost | normal after, s | peak RSS, MB |',
)
console.log('| --- | --: | --: | --: | --: | --: | --: | --: | --: |')
for (const subject of SUBJECTS) await measured(subject, capacity)
process.exit(0)
