import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { session } from '../src/index.js'
import { redisStore } from '../src/stores/redis.js'
import { useRedis } from './redis.js'

// Every format that a release has written stays readable: while a fleet is replaced, both are in use.

interface Fixture {
  nowMs: number
  encryptionKey: { id: string; key: string }
  sessions: {
    name: string
    token: string
    replacedToken: string
    hashKey: string
    hash: Record<string, string>
    indexKey: string
    index: string[]
  }[]
}

const redis = useRedis()
const folder = new URL('./fixtures/', import.meta.url)
const fixtures = readdirSync(folder).map((file): [string, Fixture] => [
  file,
  JSON.parse(readFileSync(new URL(file, folder), 'utf8')),
])

it.each(fixtures)(
  '%s is read, written and ended',
  async (_file, { nowMs, encryptionKey, sessions: stored }) => {
    for (const { name, token, replacedToken, hashKey, hash, indexKey, index } of stored) {
      await redis.client.flushall()
      await redis.client.hset(hashKey, hash)
      await redis.client.zadd(indexKey, index[1]!, index[0]!)
      const sessions = session<Record<string, unknown>>({
        store: redisStore({ redis: redis.client, clock: () => nowMs }),
        encryption: { keys: [encryptionKey], acceptPlain: name === 'plain' },
      })
      const headers = (value: string) => ({ cookie: `__Host-session=${value}` })
      for (const one of [await sessions.load(headers(token)), await sessions.load(headers(replacedToken))]) {
        expect(one.data).toEqual({ cart: ['apple', 'pear', 'plum'], 'odd key.é': { n: 1.5, none: null } })
        expect([one.userId, one.createdAt, one.lastSeenAt, one.authenticatedAt, one.expiresAt]).toEqual([
          'ann@example.org',
          nowMs - 60_000,
          nowMs - 10_000,
          nowMs - 60_000,
          nowMs - 60_000 + 43_200_000,
        ])
      }
      const one = await sessions.load(headers(token))
      one.data.cart = []
      await one.save()
      expect((await sessions.load(headers(token))).data).toMatchObject({ cart: [] })
      expect(await sessions.of('ann@example.org').list()).toHaveLength(1)
      expect(await sessions.of('ann@example.org').revokeAll()).toBe(1)
      expect((await sessions.load(headers(token))).isNew).toBe(true)
    }
  },
)
