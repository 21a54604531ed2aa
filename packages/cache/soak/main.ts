// Whether memory stays flat under load that expires all the time: values, tags, invalidations and responses, in one
// process and with Redis, for ten minutes. Ends non-zero if it does not. `pnpm --filter @scale/cache soak`;
// SOAK_MINUTES sets how long.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import { type Cache, createCache } from '../src/index.js'
import { slopeOf } from './slope.js'

const MINUTES = Number(process.env.SOAK_MINUTES ?? 10)
const SAMPLES = 40
const KB = 1_024
/** Growth in the second half that is more than noise: by the fitted line, in bytes an hour. */
const FLAT_BYTES_PER_HOUR = 6 * KB * KB
/** Few enough that each is full, and everything in it has been replaced, long before the second half. */
const MAX_BYTES = 2 * KB * KB

/** Bytes that this process keeps, in heap and in buffers. */
async function kept(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc!()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** One step: reads, and writes, of keys that come again and of keys that never do. */
async function values(cache: Cache, step: number): Promise<void> {
  const key = step % 3 === 0 ? `once:${step}` : `again:${step % 5_000}`
  await cache.getOrSet(key, () => ({ step, text: 'x'.repeat(step % 300) }), { tags: [`tag:${step % 2_000}`] })
  if (step % 10 === 0) await cache.invalidateTags([`tag:${(step * 7) % 2_000}`])
  if (step % 7 === 0) await cache.delete(`again:${step % 5_000}`)
}

async function respond(port: number, step: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/${step % 2 === 0 ? step : step % 500}`, {
    headers: { 'Accept-Language': `x${step % 40}` },
  })
  await response.arrayBuffer()
}

const server = await testRedis({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] })
const redis = createRedis(server.url)
await whenReady(redis, 5_000)
const options = { ttlMs: 50, staleWhileRevalidateMs: 50, staleIfErrorMs: 100, maxBytes: MAX_BYTES }
const caches = [createCache(options), createCache({ ...options, redis, prefix: 'soak' })]
const middleware = caches[1]!.http({ negativeTtlMs: 50 })
const http = createServer((req, res) => {
  middleware(req, res, () => {
    res.statusCode = req.url!.endsWith('7') ? 404 : 200
    res.end(`${req.headers['accept-language']} ${'y'.repeat(400)}`)
  })
}).listen(0, '127.0.0.1')
await new Promise((resolve) => http.once('listening', resolve))
const { port } = http.address() as AddressInfo

const startedAt = Date.now()
const endsAt = startedAt + MINUTES * 60_000
const samples: { atMs: number; bytes: number }[] = []
let step = 0
for (let next = startedAt; Date.now() < endsAt; ) {
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const mine = step++
      await Promise.all([
        values(caches[0]!, mine),
        values(caches[1]!, mine),
        mine % 4 === 0 && respond(port, mine),
      ])
    }),
  )
  // A quarter of the time is left to others: what is looked for is a leak, not speed.
  await new Promise((resolve) => setTimeout(resolve, 2))
  if (Date.now() < next) continue
  samples.push({ atMs: Date.now() - startedAt, bytes: await kept() })
  next = Date.now() + (endsAt - startedAt) / SAMPLES
}

const half = samples.filter(({ atMs }) => atMs >= (MINUTES * 60_000) / 2)
const { perMs, errorPerMs } = slopeOf(half.map(({ atMs, bytes }) => [atMs, bytes]))
const [perHour, errorPerHour] = [perMs * 3_600_000, errorPerMs * 3_600_000]
for (const { atMs, bytes } of samples) {
  console.log(`${(atMs / 60_000).toFixed(2).padStart(6)} min  ${(bytes / KB).toFixed(0).padStart(7)} KiB`)
}
const mb = (bytes: number): string => `${(bytes / KB / KB).toFixed(2)} MiB`
console.log(
  `${step} steps in ${MINUTES} min; second half: ${mb(perHour)} an hour, ± ${mb(2 * errorPerHour)} (95 %)`,
)
// A slope within its own error is none; one that is certain must still be small.
const isFlat = half.length >= 5 && (perHour <= 2 * errorPerHour || perHour <= FLAT_BYTES_PER_HOUR)
console.log(isFlat ? 'memory is flat' : 'memory is NOT flat')
http.close()
for (const cache of caches) await cache.close()
redis.disconnect()
await server.stop()
process.exit(isFlat ? 0 : 1)
