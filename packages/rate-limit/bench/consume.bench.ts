// CPU of this process per decision, without HTTP: 64 requests under way at a time, on a Redis of its own. The least of the
// rounds counts, less what the loop itself costs; compared as shares of what rate-limiter-flexible takes.
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import { Redis } from 'ioredis'
import { RedisStore as PeerStore } from 'rate-limit-redis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { type LimitedRequest, type RateLimitOptions, rateLimit } from '../src/index.js'

const ROUNDS = Number(process.env.ROUNDS ?? 10)
const REQUESTS = 20_000
const CLIENTS = 4_096
const PLENTY = 1_000_000_000
const PEER = 'rate-limiter-flexible'

const server = await testRedis()
const redis = createRedis(server.url, { guard: { deadlineMs: 5_000 } })
await whenReady(redis, 5_000)
const policy = { name: 'burst', quota: PLENTY, windowMs: 600_000 }
const socket = new Socket()

type Decide = (request: number) => Promise<unknown>

function ours(options: Partial<RateLimitOptions>): Decide {
  const limiter = rateLimit({
    redis,
    onStoreError: 'closed',
    policies: [policy],
    prefix: `bench:${Math.random()}`,
    ...options,
  })
  return (request) =>
    new Promise((resolve) => {
      const [req, res] = exchange(request)
      limiter(req, res, resolve)
    })
}

function exchange(request: number): [LimitedRequest, ServerResponse] {
  const req = new IncomingMessage(socket) as LimitedRequest
  req.ip = addressOf(request)
  return [req, new ServerResponse(req)]
}

function addressOf(request: number): string {
  const client = request % CLIENTS
  return `10.0.${client >> 8}.${client & 255}`
}

const flexible = new RateLimiterRedis({ storeClient: new Redis(server.url), points: PLENTY, duration: 600 })
const peerRedis = new Redis(server.url)
const peerStore = new PeerStore({
  sendCommand: (command: string, ...args: string[]) => peerRedis.call(command, ...args) as Promise<number>,
})
await peerStore.init({ windowMs: 600_000 } as Parameters<PeerStore['init']>[0])

const contenders: Record<string, Decide> = {
  nothing: async (request) => exchange(request),
  [PEER]: (request) => flexible.consume(exchange(request)[0].ip!),
  'rate-limit-redis': (request) => peerStore.increment(exchange(request)[0].ip!),
  ours: ours({}),
  'ours, no headers': ours({ headers: false }),
  'ours, three policies': ours({
    policies: [1, 60, 3_600].map((seconds) => ({
      ...policy,
      name: `${seconds}s`,
      windowMs: seconds * 1_000,
    })),
  }),
  'ours, refused': ours({ policies: [{ ...policy, quota: 0 }] }),
  'ours, leased': ours({ mode: 'leased', partitionKey: () => 'hot' }),
  'ours, leased, no headers': ours({ mode: 'leased', partitionKey: () => 'hot', headers: false }),
}

const least = new Map<string, number>()
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, decide] of Object.entries(contenders)) {
    least.set(name, Math.min(least.get(name) ?? Number.POSITIVE_INFINITY, await cpuOf(decide)))
  }
}
const net = (name: string): number => least.get(name)! - least.get('nothing')!
for (const name of Object.keys(contenders)) {
  if (name !== 'nothing')
    console.log(`${name.padEnd(26)} ${(net(name) / net(PEER)).toFixed(2).padStart(5)} of ${PEER}`)
}
process.exit()

async function cpuOf(decide: Decide): Promise<number> {
  let request = 0
  const before = process.cpuUsage()
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (request < REQUESTS) {
        await decide(request++)
        await new Promise(setImmediate)
      }
    }),
  )
  const { user, system } = process.cpuUsage(before)
  return (user + system) / REQUESTS
}
