import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRedis } from '@scale/redis'
import express, { type Express } from 'express'
import { z } from 'zod'
import { connectRedis, cookie, type SessionOptions, session } from '../../src/index.js'
import { redisStore } from '../../src/stores/redis.js'
import { errorHandler } from '../app.js'
import { OLD_SECRET, type Place, QUOTA } from './start-copies.js'

// One copy of an app, in a process of its own: the same routes below a path for each kind of options.

type Options = SessionOptions<Record<string, unknown>>

const HOUR = 3_600_000
const redis = createRedis(process.env.COPY_REDIS_URL, { guard: { deadlineMs: 10_000 } })

/** What a request says of the world around it: the time, and whether the second step of a takeover fails. */
const world = new AsyncLocalStorage<{ nowMs: number; failsToMove: boolean }>()
const lives: Options = {
  transport: cookie({ name: 'session' }),
  idleTimeoutMs: 1_000 * HOUR,
  absoluteTimeoutMs: 80_000 * HOUR,
  renewAfterMs: HOUR,
  renewGraceMs: 10_000,
  maxPerUser: { quota: QUOTA, evict: 'oldest' },
  store: redisStore({ redis, clock: () => world.getStore()!.nowMs }),
  migrateFrom: migration(),
}
const places: Record<Place, Options> = {
  plain: { redis, transport: cookie({ name: 'plain' }), prefix: 'plain' },
  sealed: {
    redis,
    transport: cookie({ name: 'sealed' }),
    prefix: 'sealed',
    encryption: { keys: [{ id: 'k', key: Buffer.alloc(32, 7) }] },
  },
  schema: {
    redis,
    transport: cookie({ name: 'schema' }),
    prefix: 'schema',
    schema: z.object({ cart: z.array(z.string()), o: z.record(z.string(), z.number()) }).partial() as never,
  },
  lives,
  strict: { ...lives, conflict: 'fail' },
}

/** What handlers have come to, in whatever way it ended. */
const handled: string[] = []

const app = express().use(express.json())
for (const [name, options] of Object.entries(places)) app.use(`/${name}`, routes(options))
// Whatever went to Redis before has been answered, on the way that all of it takes.
app.get('/settled', async (_req, res) => {
  await redis.ping()
  res.json({})
})
app.use(errorHandler)

redis.once('ready', () => {
  const server = app.listen(0, '127.0.0.1', () => {
    process.on('message', () => process.send!(handled.splice(0)))
    process.send!({ port: (server.address() as AddressInfo).port })
  })
})

function routes(options: Options): Express {
  const sessions = session<Record<string, unknown>>(options)
  const app = express()
  app.use((req, _res, next) => {
    const { 'x-now': now, 'x-fails': fails } = req.headers
    world.run({ nowMs: Number(now), failsToMove: fails !== undefined }, next)
  })
  app.get('/socket', async (req, res) => {
    const { userId, data } = await sessions.load(req.headers)
    res.json({ user: userId ?? null, data })
  })
  app.use(sessions)
  // Answers by two calls, as `writeHead` and `end`, or a stream.
  app.use((req, res, next) => {
    if (req.headers['x-in-parts'] !== undefined) {
      res.json = (body) => {
        res.writeHead(res.statusCode, { 'content-type': 'application/json' })
        return res.end(JSON.stringify(body))
      }
    }
    next()
  })
  // Goes on when its client has left.
  app.use(async (req, res, next) => {
    if (req.query.leaves !== undefined) {
      handled.push(String(req.query.leaves))
      const { json } = res
      res.json = (body) => {
        handled.push(`${req.query.leaves} done`)
        return json.call(res, body)
      }
      if (!res.destroyed) await once(res, 'close')
    }
    next()
  })
  app.post('/login', async (req, res) => {
    await req.session.login(req.body.user)
    res.json({ id: req.session.id })
  })
  app.post('/logout', async (req, res) => {
    await req.session.destroy()
    res.json({})
  })
  app.post('/set', (req, res) => {
    const { key, member, value } = req.body
    const one = req.session as unknown as Record<string, Record<string, unknown>>
    if (value === undefined) delete one[key]
    else if (member === undefined) one[key] = value
    else one[key] = { ...one[key], [member]: value }
    res.json({ id: req.session.id })
  })
  app.post('/cart/:item', (req, res) => {
    const { data } = req.session as { data: { cart?: string[] } }
    data.cart = [...(data.cart ?? []), req.params.item]
    res.json(data.cart.length)
  })
  app.post('/member/:name', async (req, res) => {
    await sleep(Number(req.query.ms ?? 0))
    const { data } = req.session as { data: { o?: Record<string, number> } }
    data.o = { ...data.o, [req.params.name]: 1 }
    handled.push(req.params.name)
    res.json({ stored: req.params.name })
  })
  app.get('/', (req, res) => {
    res.json({ id: req.session.id, user: req.session.userId ?? null, data: { ...req.session } })
  })
  return app
}

/** Of sessions of express-session; its second step fails where a request says so. */
function migration(): NonNullable<Options['migrateFrom']> {
  const real = connectRedis({
    redis,
    secrets: OLD_SECRET,
    userIdOf: ({ user }) => user as string,
  })
  return {
    ...real,
    moved: async (...args) => {
      if (world.getStore()!.failsToMove) throw new Error('the connection is lost')
      return await real.moved(...args)
    },
  }
}
