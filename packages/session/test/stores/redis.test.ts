import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisStore } from '../../src/stores/redis.js'
import { sessionStoreContract } from '../../src/testing/index.js'
import { useRedis } from '../redis.js'
import { topologies, useTopology } from '../topologies.js'

let nowMs = 0

describe.each(topologies)('redis store on %s', (kind) => {
  const redis = useTopology(kind)

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
    const keys = await redis.keys('scale:session:1:*')
    const ttls = await Promise.all(keys.map((key) => redis.client.call('pttl', [key])))
    expect(keys.length).toBeGreaterThan(20)
    // -2: expired meanwhile.
    expect(ttls.filter((ttl) => Number(ttl) < 0 && ttl !== -2)).toEqual([])
  })
})

describe('redis store on ioredis 5', () => {
  const redis = useRedis()
  let client: Redis5

  beforeAll(async () => {
    client = new Redis5(redis.server.port, { maxRetriesPerRequest: 0 })
    await client.ping()
  })
  afterAll(() => client?.disconnect())

  sessionStoreContract(
    { describe, it },
    {
      store: () => redisStore({ redis: client, clock: () => nowMs }),
      setClock: (ms) => {
        nowMs = ms
      },
    },
  )
})
