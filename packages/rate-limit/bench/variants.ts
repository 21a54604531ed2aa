import { compose } from '@scale/core'
import { createRedis, whenReady } from '@scale/redis'
import type { RequestHandler } from 'express'
import { rateLimit as expressRateLimit } from 'express-rate-limit'
import { Redis } from 'ioredis'
import { RedisStore as PeerStore } from 'rate-limit-redis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { type RateLimitOptions, rateLimit } from '../src/index.js'

/** What stands before the handler in each variant; `url` is that of the Redis. */
export const variants: Record<string, (url: string) => Promise<RequestHandler[]>> = {
  bare: async () => [],

  ours: (url) => ours(url, PLENTY),
  'ours, three policies': (url) =>
    ours(url, PLENTY, {
      policies: [1, 60, 86_400].map((seconds) => ({
        name: `${seconds}s`,
        quota: PLENTY,
        windowMs: seconds * 1_000,
      })),
    }),
  'ours, leased': (url) => ours(url, PLENTY, { mode: 'leased', partitionKey: () => 'hot' }),
  'ours, leased, no headers': (url) =>
    ours(url, PLENTY, { mode: 'leased', partitionKey: () => 'hot', headers: false }),
  'ours, in process': async () => [rateLimit({ policies: [policy(PLENTY)], allowMemoryStore: true })],
  'any, refused': async () => [
    (_req, _res, next) => {
      const refusal = { status: 429, title: 'Too many requests' }
      next(refusal)
    },
  ],
  'ours, refused': (url) => ours(url, 1),

  'express-rate-limit': (url) => peerExpress(url, PLENTY),
  'express-rate-limit, refused': (url) => peerExpress(url, 1),
  'rate-limiter-flexible': (url) => peerFlexible(url, PLENTY),
  'rate-limiter-flexible, refused': (url) => peerFlexible(url, 1),
}

const PLENTY = 1_000_000_000
const policy = (quota: number) => ({ name: 'burst', quota, windowMs: 600_000 })

async function ours(
  url: string,
  quota: number,
  options: Partial<RateLimitOptions> = {},
): Promise<RequestHandler[]> {
  const redis = createRedis(url, { guard: { deadlineMs: 2_000 } })
  await whenReady(redis, 5_000)
  return [compose(rateLimit({ redis, policies: [policy(quota)], prefix: unique(), ...options }))]
}

async function peerExpress(url: string, limit: number): Promise<RequestHandler[]> {
  const redis = new Redis(url)
  const store = new PeerStore({
    prefix: unique(),
    sendCommand: (command: string, ...args: string[]) => redis.call(command, ...args) as Promise<number>,
  })
  return [
    expressRateLimit({ windowMs: 600_000, limit, store, standardHeaders: 'draft-8', legacyHeaders: false }),
  ]
}

async function peerFlexible(url: string, points: number): Promise<RequestHandler[]> {
  const limiter = new RateLimiterRedis({
    storeClient: new Redis(url),
    keyPrefix: unique(),
    points,
    duration: 600,
    inMemoryBlockOnConsumed: points,
  })
  return [
    (req, res, next) => {
      limiter.consume(req.ip!).then(
        (state) => {
          res.setHeader(
            'RateLimit',
            `"burst";r=${state.remainingPoints};t=${Math.ceil(state.msBeforeNext / 1e3)}`,
          )
          res.setHeader('RateLimit-Policy', `"burst";q=${points};w=600`)
          next()
        },
        (state) => {
          res.setHeader('Retry-After', Math.ceil(state.msBeforeNext / 1_000))
          next(Object.assign(new Error('Too many requests'), { status: 429, title: 'Too many requests' }))
        },
      )
    },
  ]
}

function unique(): string {
  return `bench:${process.pid}:${Math.random().toString(36).slice(2)}`
}
