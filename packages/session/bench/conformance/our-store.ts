import { createRequire } from 'node:module'
import { createRedis, whenReady } from '@scale/redis'
import type { Redis } from 'ioredis'
import { RedisStore } from '../../src/express-session/index.js'

// Loaded before express-session: whoever asks there for its store gets ours, each with sessions of its own.

const client = createRedis(process.env.CONFORMANCE_REDIS_URL, { guard: { deadlineMs: 2_000 } }) as Redis
await whenReady(client, 5_000)
let count = 0

class OurStore extends RedisStore {
  constructor() {
    count++
    super({ client, prefix: `store-${count}:` })
  }
}

const inCheckout = createRequire(`${process.env.CONFORMANCE_CHECKOUT}/`)
const path = inCheckout.resolve('./session/memory')
inCheckout(path)
inCheckout.cache[path]!.exports = OurStore
