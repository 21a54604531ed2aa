// A penalty ended early for a user whose quota was larger than the one that it had been written with.
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { algorithms } from '../../src/algorithms/index.js'
import { createQuota } from '../../src/policy.js'
import type { QuotaStore } from '../../src/store.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { RedisStore } from '../../src/stores/redis.js'
import { random } from '../random.js'

let server: RedisServer
let redis: ReturnType<typeof createRedis>
let keys = 0

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url, { guard: { deadlineMs: 10_000 } })
  await whenReady(redis, 5_000)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

// Not gcra: there a larger burst still ends a penalty early.
const names = ['fixed', 'strict', 'token-bucket'] as const

describe.each(names)('%s: a penalty holds for any quota', (algorithm) => {
  const quotaOf = (quota: number) => createQuota('p', { algorithm, quota, windowMs: 60_000 })

  it('at every instant of the block, and not for ever', () => {
    const draw = random(`penalty ${algorithm}`)
    const rules = algorithms[algorithm]
    for (let run = 0; run < 300; run++) {
      const blockMs = 1 + draw.integer(700_000)
      const small = quotaOf(1 + draw.integer(20))
      const large = quotaOf(1 + draw.integer(1_000_000))
      const nowMs = 1_800_000_000_000 + draw.integer(60_000)
      let state = rules.advance(undefined, small, nowMs)
      state = rules.debit(state, small, draw.integer(small.quota + 1))
      state = rules.penalize(state, small, blockMs, nowMs)
      for (const at of [0, draw.integer(blockMs), draw.integer(blockMs), blockMs - 1]) {
        const then = rules.advance(state, large, nowMs + at)
        const refunded = rules.refund(then, large, 1, rules.windowId(then), nowMs + at)
        for (const asked of [then, refunded])
          expect(rules.available(asked, large, nowMs + at)).toBeLessThanOrEqual(0)
      }
      const after = nowMs + blockMs + 2 * 60_000
      expect(rules.available(rules.advance(state, large, after), large, after)).toBeGreaterThan(0)
      expect(rules.ttlMs(state, small, nowMs)).toBeGreaterThanOrEqual(blockMs - 1)
    }
  })

  it.each(['memory', 'redis'])('in %s, twice, with something given back between', async (kind) => {
    const store: QuotaStore = kind === 'memory' ? new MemoryStore({ maxKeys: 10 }) : new RedisStore(redis)
    const key = `penalties:{${++keys}}`
    const [small, large] = [quotaOf(5), quotaOf(5_000)]
    const before = await store.consume([{ key, quota: large, cost: 1, settles: true }], 1, 1)
    const { windowId } = before.balances[0]!
    await store.penalize([{ key, quota: small, cost: 1 }], 300_000)
    await store.settle([{ key, quota: large, units: -1, windowId }])
    await store.penalize([{ key, quota: small, cost: 1 }], 600_000)
    const { granted, balances } = await store.consume([{ key, quota: large, cost: 1 }], 1, 1)
    expect(granted).toBe(0)
    expect(balances[0]!.waitMs).toBeGreaterThan(590_000)
    expect(balances[0]!.waitMs).toBeLessThan(700_000)
  })
})
