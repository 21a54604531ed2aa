import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cache, createCache } from '../src/index.js'
import { close, listen, portOf } from './http/harness.js'
import { PATIENT } from './until.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const MB = 1_048_576

/** Bytes that this process keeps, in heap and in buffers. */
async function kept(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    gc()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

let server: RedisServer
let redis: ReturnType<typeof createRedis>
beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url, PATIENT)
  await whenReady(redis, 5_000)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** Calls `ask` with so many different numbers, many at a time. */
async function flood(from: number, count: number, ask: (number: number) => Promise<unknown>): Promise<void> {
  for (let i = from; i < from + count; i += 200) {
    await Promise.all(Array.from({ length: 200 }, (_, j) => ask(i + j)))
  }
}

/** What the process keeps after a flood must not be more after a second one that is as large. */
async function growth(count: number, ask: (number: number) => Promise<unknown>): Promise<number> {
  await flood(0, count / 2, ask)
  const before = await kept()
  await flood(count / 2, count / 2, ask)
  return (await kept()) - before
}

describe('memory stays flat', () => {
  it.each<[number, string, () => Cache]>([
    [100_000, 'in one process', () => createCache({ maxBytes: 4 * MB })],
    [40_000, 'on Redis', () => createCache({ redis, prefix: 'flat', maxBytes: 4 * MB, ttlMs: 2_000 })],
  ])('over %i distinct keys with tags, %s', { timeout: 120_000 }, async (count, _name, make) => {
    const cache = make()
    const load = (number: number) =>
      cache.getOrSet(`key:${number}${'x'.repeat(number % 200)}`, () => 'x'.repeat(300), {
        tags: [`tag:${number % 1_000}`],
      })
    expect(await growth(count, load)).toBeLessThan(4 * MB)
    expect(cache.bytes).toBeLessThanOrEqual(4 * MB)
    await cache.close()
  })

  it('over load that expires all the time, and invalidations', { timeout: 60_000 }, async () => {
    const cache = createCache({ maxBytes: 4 * MB, ttlMs: 5 })
    const load = async (number: number) => {
      await cache.getOrSet(`key:${number % 5_000}`, () => ({ number }), { tags: [`tag:${number}`] })
      if (number % 10 === 0) await cache.invalidateTags([`tag:${number}`])
      if (number % 7 === 0) await cache.delete(`key:${number % 5_000}`)
    }
    // Tags that were invalidated are remembered, up to a limit: let it be reached before measuring.
    await flood(0, 40_000, load)
    expect(await growth(40_000, load)).toBeLessThan(4 * MB)
    await cache.close()
  })

  it('over responses of 10,000 distinct URLs', { timeout: 60_000 }, async () => {
    const cache = createCache({ maxBytes: 4 * MB })
    const middleware = cache.http({ ttlMs: 60_000 })
    const http = await listen((req, res) =>
      middleware(req, res, () => {
        res.end('x'.repeat(500))
      }),
    )
    const agent = new Agent({ keepAlive: true, maxSockets: 50 })
    const get = async (path: string): Promise<void> => {
      const sent = request({ port: portOf(http), path, agent }).end()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      expect((await buffer(response)).length).toBe(500)
    }
    await get('/warm')
    expect(await growth(10_000, (number) => get(`/${number}?q=${'x'.repeat(number % 100)}`))).toBeLessThan(
      4 * MB,
    )
    agent.destroy()
    expect(cache.bytes).toBeLessThanOrEqual(4 * MB)
    await close(http)
    await cache.close()
  })
})
