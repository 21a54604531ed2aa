import { findRedisServer } from '@scale/devkit/redis-server'
import { type ClientServers, clientRows, startClientServers } from '@scale/redis/testing'
import * as ioredis from 'ioredis'
import * as ioredis5 from 'ioredis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PolicyOptions, rateLimit, user } from '../src/index.js'

// What quotas promise, kept with every client that apps make.

let servers: ClientServers

beforeAll(async () => {
  servers = await startClientServers(await findRedisServer())
})
afterAll(() => servers?.stop())

let partitions = 0
// As long as a day, so that no window ends meanwhile and nothing grows back.
const shared = { quota: 10, windowMs: 86_400_000 }
const policies: PolicyOptions[] = [
  { name: 'fixed', ...shared },
  { name: 'strict', ...shared, algorithm: 'strict' },
  { name: 'bucket', ...shared, algorithm: 'token-bucket' },
]

describe.concurrent.each(clientRows({ 'ioredis 5': ioredis5, 'ioredis 6': ioredis }))(
  '$name',
  ({ connect }) => {
    it('however it counts: of two limiters at once the quota, exactly; and all of it again after a reset', async () => {
      // As two copies of an app have them.
      const copies = [connect(servers), connect(servers)]
      const pairs = policies.map((policy) =>
        copies.map(({ redis }) =>
          rateLimit({ redis, name: policy.name, policies: [policy], onStoreError: 'closed' }),
        ),
      )
      await Promise.all(copies.map(({ ready }) => ready()))
      const someone = user(`someone-${partitions++}`)
      await Promise.all(
        pairs.map(async ([one, other]) => {
          const asked = Array.from({ length: 20 }, (_, index) => (index % 2 ? one : other)!.consume(someone))
          expect((await Promise.all(asked)).filter(({ allowed }) => allowed)).toHaveLength(10)
          expect((await one!.peek(someone)).policies[0]!.remaining).toBe(0)
          await one!.reset(someone)
          expect((await other!.peek(someone)).policies[0]!.remaining).toBe(10)
        }),
      )
      for (const { close } of copies) close()
    })
  },
)
