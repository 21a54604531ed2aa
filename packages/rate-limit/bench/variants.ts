import type { RequestText, ServerVariant, Variants } from '@scale/devkit/bench'
import type { RateLimitOptions } from '@scale/rate-limit'
import type { ErrorRequestHandler, RequestHandler } from 'express'

const PLENTY = 1_000_000_000
const policy = (quota: number) => ({ name: 'burst', quota, windowMs: 600_000 })
const body = { id: 1, name: 'Ada Lovelace', text: 'x'.repeat(255) }
const REFUSED = /^HTTP\/1\.1 429 /

const onError: ErrorRequestHandler = (error, _req, res, _next) => {
  res.status(error.status ?? 500).json({ title: error.title, status: error.status })
}

/** Requests of so many clients in turn, as a proxy in front would say. */
function from(clients: number): () => RequestText {
  return () => (number) => {
    const client = number % clients
    return `GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.${client >> 8}.${client & 255}\r\n\r\n`
  }
}

/** An app of one route, behind what limits it. */
function limited(limits: (redisUrl: string) => Promise<RequestHandler[]>): ServerVariant {
  return {
    serve: async (redisUrl) => {
      const { default: express } = await import('express')
      const handler: RequestHandler = (_req, res) => {
        res.json(body)
      }
      const app = express().set('trust proxy', 1)
      return app.get('/', ...(await limits(redisUrl)), handler).use(onError)
    },
    requests: from(4_096),
  }
}

/** The same for clients whose quota is spent. */
function refused(variant: ServerVariant, against?: string): ServerVariant {
  return { ...variant, requests: from(64), answer: REFUSED, ...(against === undefined ? {} : { against }) }
}

/** @param hot  all clients share one quota */
function ours(
  quota: number,
  { hot = false, ...options }: Partial<RateLimitOptions> & { hot?: boolean } = {},
): ServerVariant {
  return limited(async (redisUrl) => {
    const { createRedis, whenReady } = await import('@scale/redis')
    const { partition, rateLimit } = await import('@scale/rate-limit')
    const everyone = partition('all', 'hot')
    const redis = createRedis(redisUrl, { guard: { deadlineMs: 2_000 } })
    await whenReady(redis, 5_000)
    return [
      rateLimit({
        redis,
        policies: [policy(quota)],
        ...(hot ? { partitionKey: () => everyone } : {}),
        ...options,
      }),
    ]
  })
}

function expressRateLimit(limit: number): ServerVariant {
  return limited(async (redisUrl) => {
    const { Redis } = await import('ioredis')
    const { rateLimit } = await import('express-rate-limit')
    const { RedisStore } = await import('rate-limit-redis')
    const redis = new Redis(redisUrl)
    const store = new RedisStore({
      prefix: 'express-rate-limit:',
      sendCommand: (command: string, ...args: string[]) => redis.call(command, ...args) as Promise<number>,
    })
    return [rateLimit({ windowMs: 600_000, limit, store, standardHeaders: 'draft-8', legacyHeaders: false })]
  })
}

function rateLimiterFlexible(points: number): ServerVariant {
  return limited(async (redisUrl) => {
    const { Redis } = await import('ioredis')
    const { RateLimiterRedis } = await import('rate-limiter-flexible')
    const limiter = new RateLimiterRedis({
      storeClient: new Redis(redisUrl),
      keyPrefix: 'flexible',
      points,
      duration: 600,
      inMemoryBlockOnConsumed: points,
    })
    return [
      (req, res, next) => {
        limiter.consume(req.ip!).then(
          ({ remainingPoints, msBeforeNext }) => {
            res.setHeader('RateLimit', `"burst";r=${remainingPoints};t=${Math.ceil(msBeforeNext / 1e3)}`)
            res.setHeader('RateLimit-Policy', `"burst";q=${points};w=600`)
            next()
          },
          ({ msBeforeNext }) => {
            res.setHeader('Retry-After', Math.ceil(msBeforeNext / 1_000))
            next(Object.assign(new Error('Too many requests'), { status: 429, title: 'Too many requests' }))
          },
        )
      },
    ]
  })
}

/** What any middleware costs that an app adds. */
const empty = limited(async () => [(_req, _res, next) => next()])

/** The least that sets the same two headers: what the headers alone cost. */
const headersAlone = limited(async () => [
  (_req, res, next) => {
    res.setHeader('RateLimit', '"burst";r=999999999;t=600')
    res.setHeader('RateLimit-Policy', '"burst";q=1000000000;w=600')
    next()
  },
])

const appRefusal = limited(async () => [
  (_req, _res, next) => {
    const refusal = { status: 429, title: 'Too many requests' }
    next(refusal)
  },
])

const ANY_REFUSAL = 'refused by the app itself'

export const variants: Variants<ServerVariant> = {
  bare: limited(async () => []),
  'an empty middleware': empty,
  'two headers, no limit': headersAlone,

  'ours, exact': ours(PLENTY),
  'ours, exact, without headers': ours(PLENTY, { headers: false }),
  'ours, exact, three policies': ours(PLENTY, {
    policies: [1, 60, 86_400].map((seconds) => ({
      name: `${seconds}s`,
      quota: PLENTY,
      windowMs: seconds * 1_000,
    })),
  }),
  'ours, leased': ours(PLENTY, { mode: 'leased', hot: true }),
  'ours, leased, without headers': ours(PLENTY, {
    mode: 'leased',
    hot: true,
    headers: false,
  }),
  'ours, local': ours(PLENTY, { mode: 'local' }),
  'ours, local, without headers': ours(PLENTY, { mode: 'local', headers: false }),
  'express-rate-limit + rate-limit-redis': expressRateLimit(PLENTY),
  'rate-limiter-flexible': rateLimiterFlexible(PLENTY),

  [ANY_REFUSAL]: refused(appRefusal),
  'ours, refused, on top of that': refused(ours(1), ANY_REFUSAL),
  'express-rate-limit, refused, on top of that': refused(expressRateLimit(1), ANY_REFUSAL),
  'rate-limiter-flexible, refused, on top of that': refused(rateLimiterFlexible(1), ANY_REFUSAL),
}
