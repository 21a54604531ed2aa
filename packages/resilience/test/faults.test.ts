import { afterEach, beforeEach, expect, it } from 'vitest'
import { type PolicyOptions, type Upstream, upstream } from '../src/index.js'
import { fine, type Service, startService } from './server.js'

let service: Service
let api: Upstream

beforeEach(async () => {
  service = await startService(fine)
})

afterEach(async () => {
  await service.close()
  await api.close()
})

const DEADLINE_MS = 300
/** The test runs in one process with the service, and on a machine that has other things to do. */
const ROOM_MS = 1_000

function open(policy: PolicyOptions = {}): void {
  const options = {
    deadlineMs: DEADLINE_MS,
    tryTimeoutMs: 100,
    retryBaseMs: 5,
    maxConcurrent: 20,
    openMs: 50,
    ...policy,
  }
  api = upstream({ name: 'service', baseUrl: service.url, policy: options })
}

const kinds = ['GET', 'PUT', 'POST'] as const

/** Makes calls of all kinds, and reads their answers. */
async function storm(
  calls: number,
  name = 'calls',
): Promise<{ longestMs: number; statuses: Record<number, number> }> {
  const statuses: Record<number, number> = {}
  let longestMs = 0
  const one = async (id: number): Promise<void> => {
    const startedAt = performance.now()
    const method = kinds[id % kinds.length]!
    let status: number
    try {
      const answer = await api.fetch(`/${name}/${id}`, { method, body: method === 'GET' ? null : 'x' })
      status = answer.status
      await answer.text()
    } catch (error) {
      status = (error as { status?: number }).status ?? 1
    }
    longestMs = Math.max(longestMs, performance.now() - startedAt)
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  for (let id = 0; id < calls; id += 30) {
    await Promise.all(Array.from({ length: Math.min(30, calls - id) }, (_, index) => one(id + index)))
  }
  return { longestMs, statuses }
}

const faults: [what: string, begin: () => Promise<void> | void][] = [
  ['slow', () => service.proxy.set({ latencyMs: 200 })],
  ['black hole', () => service.proxy.set({ blackHole: true })],
  ['held replies', () => service.proxy.set({ holdReplies: true })],
  ['refused', () => service.proxy.set({ refuse: true })],
  [
    'reset',
    () => {
      service.answer = (req) => {
        req.socket.resetAndDestroy()
      }
    },
  ],
  [
    'half-open',
    () => {
      service.answer = () => service.proxy.halfOpen()
    },
  ],
  [
    'bursts of 503',
    () => {
      service.answer = (_req, res) => {
        res.writeHead(service.seen.length % 50 < 30 ? 503 : 200).end('x'.repeat(10_000))
      }
    },
  ],
  [
    'trickled bodies',
    () => {
      service.answer = (_req, res) => {
        const timer = setInterval(() => res.write('x'), 10)
        res.on('close', () => clearInterval(timer))
      }
    },
  ],
  ['a thin line', () => service.proxy.set({ bandwidthBytesPerSecond: 200 })],
]

it.each(faults)(
  '%s: every call ends in time, no write is repeated, nothing is left, and all heals',
  async (_what, begin) => {
    open()
    await storm(30, 'before')
    await begin()
    const { longestMs } = await storm(150, 'during')
    expect(longestMs).toBeLessThan(DEADLINE_MS + ROOM_MS)

    const posts = service.seen.filter(({ method }) => method === 'POST').map(({ url }) => url)
    expect(posts).toEqual([...new Set(posts)])
    // All calls, a tenth of them, and the burst.
    expect(service.seen.length).toBeLessThanOrEqual(180 * 1.1 + 10)

    await expect.poll(() => [api.inFlight, api.waiting], { timeout: 5_000 }).toEqual([0, 0])
    service.answer = fine
    await service.proxy.clear()
    service.proxy.reset()
    await expect
      .poll(() => api.fetch('/').then((res) => res.text(), String), { timeout: 10_000 })
      .toBe('fine')
    await expect.poll(() => service.connections, { timeout: 5_000 }).toBeLessThanOrEqual(20)
  },
)

it('leaves a service that is down alone, but for its probes', async () => {
  open({ openMs: 60_000, maxRetries: 0 })
  service.answer = (_req, res) => {
    res.writeHead(500).end()
  }
  const { statuses } = await storm(300)
  expect(api.state).toBe('open')
  // Those of the first wave were under way when it opened.
  expect(service.seen.length).toBeLessThanOrEqual(30)
  expect(statuses[503]).toBeGreaterThanOrEqual(270)
})

it('keeps nothing of calls that are over: neither connections nor memory', async () => {
  open({ minCalls: 100_000 })
  service.answer = (_req, res) => {
    if (service.seen.length % 3 === 0) res.destroy()
    else res.writeHead(service.seen.length % 3 === 1 ? 200 : 503).end('x'.repeat(1_000))
    if (service.seen.length > 1_000) service.seen.length = 1
  }
  await storm(600)
  await expect.poll(() => api.inFlight, { timeout: 5_000 }).toBe(0)
  const handles = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const connections = service.connections
  await storm(600)
  await expect.poll(() => api.inFlight, { timeout: 5_000 }).toBe(0)
  expect(service.connections).toBeLessThanOrEqual(Math.max(connections, 20))
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThan(
    handles + 10,
  )
})
