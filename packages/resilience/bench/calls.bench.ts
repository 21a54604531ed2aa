import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  bulkhead,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import CircuitBreaker from 'opossum'
import { fetch, Pool } from 'undici'
import { policy, upstream } from '../src/index.js'

// CPU time of this process per call; the service is in another one. `pnpm --filter @scale/resilience bench`

const ROUNDS = 5
const AT_ONCE = 20

const SERVICE = `
  const seen = { silent: 0, down: 0 }
  require('node:http')
    .createServer((req, res) => {
      if (req.url === '/') res.end('{"ok":true}')
      else if (req.url === '/seen') res.end(JSON.stringify(seen))
      else if (req.url === '/silent') seen.silent++
      else if (req.url === '/down') { seen.down++; res.writeHead(503).end() }
      else {
        const timer = setInterval(() => res.write('x'), 5)
        res.on('close', () => clearInterval(timer))
      }
    })
    .listen(0, '127.0.0.1', function () { console.log(this.address().port) })
`

const service = spawn(process.execPath, ['-e', SERVICE], { stdio: ['ignore', 'pipe', 'inherit'] })
const [port] = (await once(service.stdout, 'data')) as [Buffer]
const baseUrl = `http://127.0.0.1:${String(port).trim()}`

const pool = new Pool(baseUrl, { connections: 100 })
const read = async (signal?: AbortSignal): Promise<string> => {
  const response = await fetch(`${baseUrl}/`, signal ? { dispatcher: pool, signal } : { dispatcher: pool })
  return response.text()
}
const byOpossum = new CircuitBreaker(() => read(), { timeout: 3_000, capacity: 100 })
const cockatiel = wrap(
  retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() }),
  circuitBreaker(handleAll, { halfOpenAfter: 5_000, breaker: new ConsecutiveBreaker(5) }),
  bulkhead(100, 100),
  timeout(3_000, TimeoutStrategy.Aggressive),
)
const ours = upstream({ name: 'bench', baseUrl })

const nothing = async (): Promise<number> => 1
const emptyOpossum = new CircuitBreaker(nothing, { timeout: 3_000, capacity: 100 })
const emptyOurs = policy('bench')

const contestants: Record<string, Record<string, () => Promise<unknown>>> = {
  'a GET': {
    'undici alone': () => read(),
    opossum: () => byOpossum.fire(),
    cockatiel: () => cockatiel.execute(({ signal }) => read(signal)),
    ours: async () => (await ours.fetch('/')).text(),
  },
  'a promise': {
    alone: nothing,
    opossum: () => emptyOpossum.fire(),
    cockatiel: () => cockatiel.execute(nothing),
    ours: () => emptyOurs.run(nothing),
  },
}

/** CPU time per call, µs. */
async function measure(call: () => Promise<unknown>, times: number): Promise<number> {
  const before = process.cpuUsage()
  let left = times
  const worker = async (): Promise<void> => {
    while (left-- > 0) await call()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}

for (const [what, calls] of Object.entries(contestants)) {
  const times = what === 'a GET' ? 3_000 : 30_000
  const best = new Map<string, number>()
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, call] of Object.entries(calls)) {
      const us = await measure(call, times)
      // The first one warms up.
      if (round > 0) best.set(name, Math.min(us, best.get(name) ?? Number.POSITIVE_INFINITY))
    }
  }
  console.log(`${what}, CPU per call, µs`)
  for (const [name, us] of best) console.log(`  ${name.padEnd(14)} ${us.toFixed(1)}`)
}

/** How late the latest of many calls ends, ms after its deadline. */
async function lateness(path: string): Promise<number> {
  const deadlineMs = 250
  const policyOptions = { deadlineMs, tryTimeoutMs: 100, minCalls: 100_000 }
  const api = upstream({ name: 'late', baseUrl, policy: policyOptions })
  let latest = Number.NEGATIVE_INFINITY
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        const startedAt = performance.now()
        await api
          .fetch(path)
          .then((response) => response.text())
          .catch(() => {})
        latest = Math.max(latest, performance.now() - startedAt - deadlineMs)
      }),
    )
  }
  await api.close()
  return latest
}

for (const path of ['/silent', '/trickle']) {
  console.log(
    `${path}: the latest of 400 calls ends ${(await lateness(path)).toFixed(1)} ms after its deadline`,
  )
}

const storm = upstream({ name: 'storm', baseUrl, policy: { retryBaseMs: 1, minCalls: 100_000 } })
for (let round = 0; round < 50; round++) {
  await Promise.all(Array.from({ length: AT_ONCE }, async () => (await storm.fetch('/down')).text()))
}
const seen = (await (await ours.fetch('/seen')).json()) as { down: number }
console.log(`1,000 calls to what is down: ${seen.down} requests arrive; at most 1,110 may`)
await storm.close()
await ours.close()
await pool.close()
byOpossum.shutdown()
emptyOpossum.shutdown()
service.kill()
