import { findRedisServer } from '@scale/devkit/redis-server'
import { type ClientServers, clientRows, startClientServers } from '@scale/redis/testing'
import * as ioredis from 'ioredis'
import * as ioredis5 from 'ioredis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SessionConflict, SessionEnded, session } from '../src/index.js'

// What sessions promise, kept with every client that apps make.

let servers: ClientServers

beforeAll(async () => {
  servers = await startClientServers(await findRedisServer())
})
afterAll(() => servers?.stop())

let users = 0

describe.concurrent.each(clientRows({ 'ioredis 5': ioredis5, 'ioredis 6': ioredis }))(
  '$name',
  ({ connect }) => {
    it('login, save, read, logout; no update is lost, and none brings back a session that has ended', async () => {
      const { redis, ready, close } = connect(servers)
      const sessions = session<Record<string, unknown>>({ redis, conflict: 'fail' })
      await ready()
      const user = `user-${users++}`
      const first = await sessions.load({})
      first.data = { count: 1, ids: ['1', 2] }
      const { token } = await first.login(user)
      const load = () => sessions.load({ cookie: `__Host-session=${token}` })

      const [a, b] = await Promise.all([load(), load()])
      expect([a.userId, a.data, b.data]).toEqual([
        user,
        { count: 1, ids: ['1', 2] },
        { count: 1, ids: ['1', 2] },
      ])
      a.data.count = 2
      b.data.count = 2
      await a.save()
      await expect(b.save()).rejects.toThrow(SessionConflict)

      const late = await load()
      expect(late.data.count).toBe(2)
      late.data.count = 3
      await (await load()).destroy()
      await expect(late.save()).rejects.toThrow(SessionEnded)
      const after = await load()
      expect([after.userId, after.data]).toEqual([undefined, {}])
      close()
    })
  },
)
