import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { CallVariant, Variants } from '@scale/devkit/bench'
import { type LimitedRequest, partition, type RateLimitOptions } from '@scale/rate-limit'

const PLENTY = 1_000_000_000
const policy = { name: 'burst', quota: PLENTY, windowMs: 600_000 }
const CLIENTS = 4_096
const socket = new Socket()

/** What a middleware is given, as far as a limiter looks at it. */
function exchange(number: number): [LimitedRequest, ServerResponse] {
  const req = new IncomingMessage(socket) as LimitedRequest
  const client = number % CLIENTS
  req.ip = `10.0.${client >> 8}.${client & 255}`
  return [req, new ServerResponse(req)]
}

function ours(options: Partial<RateLimitOptions> = {}): CallVariant {
  return {
    prepare: async (redisUrl) => {
      const { createRedis, whenReady } = await import('@scale/redis')
      const { rateLimit } = await import('@scale/rate-limit')
      const redis = createRedis(redisUrl, { guard: { deadlineMs: 5_000 } })
      await whenReady(redis, 5_000)
      const prefix = `bench-${process.pid}`
      const limiter = rateLimit({ redis, prefix, onStoreError: 'closed', policies: [policy], ...options })
      return (number) =>
        new Promise((resolve) => {
          const [req, res] = exchange(number)
          limiter(req, res, resolve)
        })
    },
  }
}

const everyone = partition('all', 'hot')
const hot = () => everyone

/** Decisions without a server: what a decision costs beside the request that it is for. */
export const variants: Variants<CallVariant> = {
  nothing: { prepare: async () => async (number) => exchange(number) },
  'rate-limiter-flexible': {
    prepare: async (redisUrl) => {
      const { Redis } = await import('ioredis')
      const { RateLimiterRedis } = await import('rate-limiter-flexible')
      const limiter = new RateLimiterRedis({
        storeClient: new Redis(redisUrl),
        points: PLENTY,
        duration: 600,
      })
      return (number) => limiter.consume(exchange(number)[0].ip!)
    },
  },
  'rate-limit-redis': {
    prepare: async (redisUrl) => {
      const { Redis } = await import('ioredis')
      const { RedisStore } = await import('rate-limit-redis')
      const redis = new Redis(redisUrl)
      const store = new RedisStore({
        prefix: 'rate-limit-redis:',
        sendCommand: (command: string, ...args: string[]) => redis.call(command, ...args) as Promise<number>,
      })
      await store.init({ windowMs: 600_000 } as Parameters<typeof store.init>[0])
      return (number) => store.increment(exchange(number)[0].ip!)
    },
  },
  'ours, exact': ours(),
  'ours, exact, without headers': ours({ headers: false }),
  'ours, exact, three policies': ours({
    policies: [1, 60, 3_600].map((seconds) => ({
      ...policy,
      name: `${seconds}s`,
      windowMs: seconds * 1_000,
    })),
  }),
  'ours, refused': ours({ policies: [{ ...policy, quota: 0 }] }),
  'ours, local': ours({ mode: 'local' }),
  'ours, leased': ours({ mode: 'leased', partitionKey: hot }),
  'ours, leased, without headers': ours({ mode: 'leased', partitionKey: hot, headers: false }),
}
