// One of several processes that ask for one key over many connections: `hammer.ts <redis url> <prefix> <mode>`.
import { createRedis, whenReady } from '@scale/redis'
import { type RateLimit, rateLimit, user } from '../src/index.js'

const [, , url, prefix, mode, quota] = process.argv as unknown as [
  string,
  string,
  string,
  string,
  'exact',
  string,
]
const CONNECTIONS = 16

const clients = Array.from({ length: CONNECTIONS }, () => createRedis(url, { guard: { deadlineMs: 30_000 } }))
await Promise.all(clients.map((redis) => whenReady(redis, 10_000)))
const limiters: RateLimit[] = clients.map((redis) =>
  rateLimit({
    redis,
    prefix,
    mode,
    onStoreError: 'closed',
    policies: [{ name: 'hammered', quota: Number(quota), windowMs: 600_000 }],
  }),
)
process.send!('ready')
process.once('message', async (requests: number) => {
  let allowed = 0
  const each = requests / CONNECTIONS
  await Promise.all(
    limiters.map(async (limiter) => {
      for (let round = 0; round < each / 4; round++) {
        const decisions = await Promise.all(Array.from({ length: 4 }, () => limiter.consume(user('key'))))
        for (const decision of decisions) if (decision.allowed) allowed++
      }
    }),
  )
  process.send!(allowed, () => process.exit())
})
