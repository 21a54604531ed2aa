import { setTimeout as delay } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { type FaultProxy, type RedisServer, startFaultProxy } from '@scale/redis/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Member, startMember } from './fleet.js'
import { tooOld } from './too-old.js'

const PROCESSES = 3
const LIVENESS_MS = 500
const DURATION_MS = 7_000

let cacheServer: RedisServer
let source: RedisServer
let proxies: FaultProxy[]
const fleet: Member[] = []
beforeAll(async () => {
  ;[cacheServer, source] = await Promise.all([testRedis(), testRedis()])
  proxies = await Promise.all(
    Array.from({ length: PROCESSES }, () => startFaultProxy({ target: cacheServer })),
  )
})
afterAll(async () => {
  await Promise.all(fleet.map((member) => member.kill()))
  await Promise.all(proxies.map((proxy) => proxy.close()))
  await Promise.all([cacheServer.stop(), source.stop()])
})

const member = (proxy: FaultProxy, prefix: string) =>
  startMember({
    CACHE_URL: proxy.url,
    SOURCE_URL: source.url,
    PREFIX: `race-${prefix}`,
    OPTIONS: JSON.stringify({ livenessMs: LIVENESS_MS, leaseMs: 500, deadlineMs: 50 }),
    RECONNECT_AFTER_MS: '500',
  })

it.each(['calls', 'http'] as const)(
  'no read is older than an acknowledged invalidation by more than δ, whatever fails: %s',
  {
    timeout: 60_000,
  },
  async (over) => {
    fleet.push(...(await Promise.all(proxies.map((proxy) => member(proxy, over)))))
    const racing = fleet.slice(-PROCESSES)
    const reports = racing.map((one) => one.next('race'))
    for (const one of racing) one.order({ kind: 'race', over, keys: 30, durationMs: DURATION_MS })

    const endsAt = Date.now() + DURATION_MS - 1_000
    const faults: (() => Promise<unknown> | unknown)[] = [
      () => pick().set({ latencyMs: 30 }),
      () => pick().set({ latencyMs: 200 }),
      () => pick().set({ blackHole: true }),
      () => pick().set({ holdReplies: true }),
      () => pick().reset(),
      () => pick().halfOpen(),
      () => pick().set({ refuse: true }),
      () => cacheServer.pause(),
      () => cacheServer.restart(),
    ]
    const pick = () => proxies[Math.floor(Math.random() * proxies.length)]!
    for (let step = 0; Date.now() < endsAt; step++) {
      await faults[step % faults.length]!()
      await delay(100 + Math.random() * 500)
      cacheServer.resume()
      await Promise.all(proxies.map((proxy) => proxy.clear()))
      await delay(Math.random() * 300)
    }

    const results = await Promise.all(reports)
    const reads = results.flatMap((result) => result.reads)
    const writes = results.flatMap((result) => result.writes)
    const hits = results.reduce((sum, result) => sum + result.hits, 0)
    expect(tooOld(reads, writes, LIVENESS_MS)).toEqual([])
    // It was a race, and copies took part in it.
    expect(reads.length).toBeGreaterThan(500)
    expect(writes.length).toBeGreaterThan(10)
    expect(hits).toBeGreaterThan(100)
  },
)

it('the check itself finds a read that is too old', () => {
  const writes = [{ key: 'a', version: 3, acknowledgedAt: 1_000 }]
  expect(
    tooOld([{ key: 'a', version: 2, startedAt: 1_000 + LIVENESS_MS }], writes, LIVENESS_MS),
  ).toHaveLength(1)
  expect(
    tooOld([{ key: 'a', version: 2, startedAt: 1_000 + LIVENESS_MS - 1 }], writes, LIVENESS_MS),
  ).toHaveLength(0)
})
