// One of several processes that ask for one key over many connections: `hammer.ts <redis url>`.
import { createRedis, whenReady } from '@scale/redis'
import { rateLimit, user } from '../src/index.js'

interface Task {
  prefix: string
  mode: 'exact' | 'leased'
  quota: number
  requests: number
}

const CONNECTIONS = 16

const clients = Array.from({ length: CONNECTIONS }, () =>
  createRedis(process.argv[2], { guard: { deadlineMs: 30_000 } }),
)
await Promise.all(clients.map((redis) => whenReady(redis, 10_000)))
process.on('disconnect', () => process.exit())
process.on('message', async ({ prefix, mode, quota, requests }: Task) => {
  const policies = [{ name: 'hammered', quota, windowMs: 600_000 }]
  const limiters = clients.map((redis) =>
    rateLimit({ redis, prefix, mode, onStoreError: 'closed', policies }),
  )
  let allowed = 0
  await Promise.all(
    limiters.map(async (limiter) => {
      for (let round = 0; round < requests / CONNECTIONS / 4; round++) {
        const decisions = await Promise.all(Array.from({ length: 4 }, () => limiter.consume(user('key'))))
        for (const decision of decisions) if (decision.allowed) allowed++
      }
    }),
  )
  process.send!(allowed)
})
process.send!('ready')
