import { describe, expect, it } from 'vitest'
import { redisFamilyStore } from '../../src/stores/redis-family.js'
import { redisRevocationStore } from '../../src/stores/redis-revocation.js'
import { familyStoreContract, revocationStoreContract } from '../../src/testing/index.js'
import { useRedis } from '../redis.js'

const redis = useRedis()
let nowMs = 0

describe('families in Redis', () => {
  familyStoreContract(
    { describe, it },
    {
      store: () => redisFamilyStore({ redis: redis.client, clock: () => nowMs }),
      setClock: (ms) => {
        nowMs = ms
      },
    },
  )
})

describe('revocations in Redis', () => {
  revocationStoreContract(
    { describe, it },
    {
      store: () => redisRevocationStore({ redis: redis.client }),
      now: () => serverMs(),
      // The server's clock is its own: what is waited for is that it says so.
      pass: async (ms) => {
        const endsAt = (await serverMs()) + ms
        while ((await serverMs()) < endsAt) {}
      },
    },
  )

  async function serverMs(): Promise<number> {
    const [seconds, micros] = (await redis.client.time()).map(Number)
    return seconds! * 1_000 + micros! / 1_000
  }
})

it('every key has a time to live, and nothing that opens anything is stored', async () => {
  const keys = await redis.client.keys('scale:auth:1:*')
  expect(keys.length).toBeGreaterThan(20)
  const ttls = await Promise.all(keys.map((key) => redis.client.pttl(key)))
  expect(ttls.filter((ttl) => ttl < 0 && ttl !== -2)).toEqual([])
})
