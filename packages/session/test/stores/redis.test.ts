import { describe, expect, it } from 'vitest'
import { redisStore } from '../../src/stores/redis.js'
import { sessionStoreContract } from '../../src/testing/index.js'
import { useRedis } from '../redis.js'

const redis = useRedis()
let nowMs = 0

describe('redis store', () => {
  sessionStoreContract(
    { describe, it },
    {
      store: () => redisStore({ redis: redis.client, clock: () => nowMs }),
      setClock: (ms) => {
        nowMs = ms
      },
    },
  )

  it('gives every key a time to live', async () => {
    const keys = await redis.client.keys('scale:session:1:*')
    const ttls = await Promise.all(keys.map((key) => redis.client.pttl(key)))
    expect(keys.length).toBeGreaterThan(20)
    expect(ttls.filter((ttl) => ttl < 0 && ttl !== -2)).toEqual([])
  })
})
