import { findRedisServer } from '@scale/devkit/redis-server'
import { type ClientServers, clientRows, startClientServers } from '@scale/redis/testing'
import * as ioredis from 'ioredis'
import * as ioredis5 from 'ioredis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCache } from '../src/index.js'
import { until } from './until.js'

// What caches promise, kept with every client that apps make.

let servers: ClientServers

beforeAll(async () => {
  servers = await startClientServers(await findRedisServer())
})
afterAll(() => servers?.stop())

let keys = 0

describe.concurrent.each(clientRows({ 'ioredis 5': ioredis5, 'ioredis 6': ioredis }))(
  '$name',
  ({ connect }) => {
    it('one load for two processes, and a new one for both after an invalidation', async () => {
      const clients = [connect(servers), connect(servers)]
      const caches = clients.map(({ redis }) => createCache({ redis, livenessMs: 200 }))
      await Promise.all(clients.map(({ ready }) => ready()))
      const key = `key-${keys++}`
      let loads = 0
      const loader = async () => ({ load: ++loads, ids: ['1', 2], when: null })
      const read = (index: number) => caches[index]!.getOrSet(key, loader, { tags: [`tag:${key}`] })

      const value = { load: 1, ids: ['1', 2], when: null }
      expect(await Promise.all([read(0), read(1)])).toEqual([value, value])
      expect(await read(1)).toEqual(value)
      expect(await caches[0]!.invalidateTags([`tag:${key}`])).toBe(true)
      expect(await read(0)).toEqual({ ...value, load: 2 })
      await until(async () => (await read(1)).load === 2)
      expect(loads).toBe(2)
      await Promise.all(caches.map((cache) => cache.close()))
      for (const { close } of clients) close()
    })
  },
)
