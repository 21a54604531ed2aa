import KeyvRedis from '@keyv/redis'
import { createCache } from '@scale/cache'
import { compose } from '@scale/core'
import type { RequestText, ServerVariant, Variants } from '@scale/devkit/bench'
import { rateLimit } from '@scale/rate-limit'
import { createRedis, whenReady } from '@scale/redis'
import { session } from '@scale/session'
import { Cacheable } from 'cacheable'
import { RedisStore as SessionStore } from 'connect-redis'
import express, { type Express, type RequestHandler } from 'express'
import { rateLimit as expressRateLimit } from 'express-rate-limit'
import expressSession from 'express-session'
import { RedisStore as QuotaStore } from 'rate-limit-redis'
import { createClient } from 'redis'

/** 300 bytes of JSON: what every stack answers. */
export const ANSWER = { filler: 'x'.repeat(300 - '{"filler":""}'.length) }

const QUOTA = 1_000_000_000

/** One way to build the same service. `/read` needs the session of its cookie; `/login` opens one. */
export type Stack = (redisUrl: string) => Promise<Express>

const load = async (): Promise<typeof ANSWER> => ANSWER

/** Express alone. */
async function bare(): Promise<Express> {
  return express().get('/read', (_req, res) => {
    res.json(ANSWER)
  })
}

async function ours(redisUrl: string, together: boolean): Promise<Express> {
  const redis = createRedis(redisUrl)
  await whenReady(redis, 5_000)
  const sessions = session({ redis })
  const limiter = rateLimit({
    redis,
    policies: [{ name: 'reads', quota: QUOTA, windowMs: 60_000 }],
  })
  const cache = createCache({ redis })
  const guards: RequestHandler[] = together ? [compose(sessions, limiter)] : [sessions, limiter]
  return express()
    .post('/login', sessions, async (req, res) => {
      await req.session.login('ada')
      res.end()
    })
    .get('/read', ...guards, async (req, res) => {
      if (req.session.userId !== 'ada') throw new Error('the session is missing')
      res.json(await cache.getOrSet('answer', load))
    })
}

/** What teams pick today, each part as its README shows it. */
async function peers(redisUrl: string): Promise<Express> {
  const client = createClient({ url: redisUrl })
  await client.connect()
  const cache = new Cacheable({ secondary: new KeyvRedis(redisUrl), ttl: '1h' })
  return express()
    .use(
      expressSession({
        store: new SessionStore({ client }),
        secret: 'a secret of the bench',
        resave: false,
        saveUninitialized: false,
      }),
    )
    .post('/login', (req, res) => {
      Object.assign(req.session, { userId: 'ada' })
      res.end()
    })
    .use(
      expressRateLimit({
        windowMs: 60_000,
        limit: QUOTA,
        standardHeaders: 'draft-8',
        legacyHeaders: false,
        store: new QuotaStore({ sendCommand: (...args: string[]) => client.sendCommand(args) }),
      }),
    )
    .get('/read', async (req, res) => {
      if ((req.session as { userId?: string }).userId !== 'ada') throw new Error('the session is missing')
      res.json(await cache.getOrSet('answer', load))
    })
}

/** By name; the first is what the others are measured against. */
export const stacks: Readonly<Record<string, Stack>> = {
  'Express alone': bare,
  '@scale: session, quota and cache, composed': (redisUrl) => ours(redisUrl, true),
  '@scale: the same, one after the other': (redisUrl) => ours(redisUrl, false),
  'express-session, express-rate-limit, cacheable': peers,
}

const ANSWERED = /^HTTP\/1\.1 200 .*\r\ncontent-length: 300\r/is

/** What the bench runs, each in a process of its own. */
export const variants: Variants<ServerVariant> = Object.fromEntries(
  Object.entries(stacks).map(([name, serve]) => [
    name,
    { serve, requests: readAfterLogin, answer: ANSWERED },
  ]),
)

/** Requests that carry the session of a user. A stack without sessions gets a cookie of no meaning. */
async function readAfterLogin(origin: string): Promise<RequestText> {
  const response = await fetch(`${origin}/login`, { method: 'POST' })
  const cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? 'theme=dark'
  return () => `GET /read HTTP/1.1\r\nHost: localhost\r\nCookie: ${cookie}\r\n\r\n`
}
