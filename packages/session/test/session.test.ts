import { operationChannel } from '@scale/redis'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  type ConflictMessage,
  conflictChannel,
  InvalidSessionData,
  type Session,
  SessionConflict,
  SessionEnded,
  type SessionOptions,
  SessionRequired,
  type Sessions,
  session,
  TooManySessions,
  unreadableChannel,
} from '../src/index.js'
import { redisStore } from '../src/stores/redis.js'
import { topologies, useTopology } from './topologies.js'

type Data = Record<string, unknown>

let nowMs = 1_800_000_000_000

function headers(token: string) {
  return { cookie: `__Host-session=${token}` }
}

async function loggedIn(sessions: Sessions<Data>, userId = 'ann', data: Data = {}): Promise<string> {
  const first = await sessions.load({})
  first.data = data
  return (await first.login(userId)).token
}

/** Two requests that have read the same session. */
async function two(sessions: Sessions<Data>, data: Data): Promise<[Session<Data>, Session<Data>, string]> {
  const token = await loggedIn(sessions, 'ann', data)
  const [a, b] = await Promise.all([sessions.load(headers(token)), sessions.load(headers(token))])
  // Both look before either writes.
  expect([a.data, b.data]).toEqual([data, data])
  return [a, b, token]
}

describe.each(topologies)('%s', (kind) => {
  const redis = useTopology(kind)

  function make(options: SessionOptions<Data> = {}): Sessions<Data> {
    return session({ store: redisStore({ redis: redis.client, clock: () => nowMs }), ...options })
  }

  describe('two requests at once', () => {
    it.each(['merge', 'fail', 'last'] as const)('%s: different keys never meet', async (conflict) => {
      const sessions = make({ conflict })
      const [a, b, token] = await two(sessions, { x: 1, y: 1, gone: 1 })
      a.data.x = 2
      delete a.data.gone
      b.data.y = 2
      await Promise.all([a.save(), b.save()])
      expect((await sessions.load(headers(token))).data).toEqual({ x: 2, y: 2 })
    })
    it('merge: joins members of one object, and the later save wins where they meet', async () => {
      const sessions = make({ conflict: 'merge' })
      const [a, b, token] = await two(sessions, { o: { both: 0, keep: 0, gone: 0, deep: { l: [1] } } })
      a.data.o = { both: 'a', keep: 0, gone: 0, deep: { l: [1], a: 1 } }
      b.data.o = { both: 'b', keep: 0, deep: { l: [1], b: 1 } }
      const seen: ConflictMessage[] = []
      const stop = conflictChannel.subscribe((message) => seen.push(message))
      await a.save()
      await b.save()
      stop()
      expect(seen).toEqual([{ id: b.id, userId: 'ann', outcome: 'merged', keys: ['o'] }])
      const joined = { both: 'b', keep: 0, deep: { l: [1], a: 1, b: 1 } }
      expect((await sessions.load(headers(token))).data).toEqual({ o: joined })
      expect(b.data).toEqual({ o: joined })
    })
    it('merge: a key that one removed and the other changed is what the later save says', async () => {
      const sessions = make({ conflict: 'merge' })
      const [a, b, token] = await two(sessions, { k: 1 })
      delete a.data.k
      b.data.k = 2
      await a.save()
      await b.save()
      expect((await sessions.load(headers(token))).data).toEqual({ k: 2 })
    })
    it('merge: many at once all get through', async () => {
      const sessions = make({ conflict: 'merge' })
      const token = await loggedIn(sessions, 'ann', { o: {} })
      const loaded = await Promise.all(Array.from({ length: 20 }, () => sessions.load(headers(token))))
      await Promise.all(
        loaded.map(async (one, index) => {
          ;(one.data.o as Data)[`k${index}`] = index
          await one.save()
        }),
      )
      expect(Object.keys((await sessions.load(headers(token))).data.o as Data)).toHaveLength(20)
    })
    it('fail: the second is told, and writes none of its keys', async () => {
      const sessions = make({ conflict: 'fail' })
      const [a, b, token] = await two(sessions, { x: 1, y: 1 })
      a.data.x = 'a'
      b.data.x = 'b'
      b.data.y = 'b'
      await a.save()
      const error = await b.save().catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(SessionConflict)
      expect(error).toMatchObject({ status: 409, keys: ['x'] })
      expect((await sessions.load(headers(token))).data).toEqual({ x: 'a', y: 1 })
      await b.reload()
      expect(b.data).toEqual({ x: 'a', y: 1 })
      b.data.x = 'b'
      await b.save()
      expect((await sessions.load(headers(token))).data).toEqual({ x: 'b', y: 1 })
    })
    it('last: the second wins, and says so on the channel', async () => {
      const sessions = make({ conflict: 'last' })
      const [a, b, token] = await two(sessions, { x: 1 })
      a.data.x = 'a'
      b.data.x = 'b'
      const seen: ConflictMessage[] = []
      const stop = conflictChannel.subscribe((message) => seen.push(message))
      await a.save()
      await b.save()
      stop()
      expect(seen).toMatchObject([{ outcome: 'overwrote', keys: ['x'] }])
      expect((await sessions.load(headers(token))).data).toEqual({ x: 'b' })
    })
    it('what one writes while the other logs in is not lost', async () => {
      const sessions = make()
      const visitor = await sessions.load({})
      visitor.data = { cart: { a: 1 }, seen: 1 }
      await visitor.save()
      const { token } = await visitor.renew()
      const [a, b] = await Promise.all([sessions.load(headers(token)), sessions.load(headers(token))])
      expect([a.data, b.data]).toHaveLength(2)
      ;(a.data.cart as Data).b = 2
      a.data.note = 'late'
      await a.save()
      ;(b.data.cart as Data).c = 3
      const login = await b.login('ann')
      expect((await sessions.load(headers(login.token))).data).toEqual({
        cart: { a: 1, b: 2, c: 3 },
        seen: 1,
        note: 'late',
      })
      await expect(a.save().then(() => a.touch())).rejects.toBeInstanceOf(SessionEnded)
    })
  })

  describe('a session that ended', () => {
    it.each<[string, (sessions: Sessions<Data>, other: Session<Data>) => Promise<unknown>]>([
      ['by destroy()', (_, other) => other.destroy()],
      ['by a login', (_, other) => other.login('bob')],
      ['by elevate()', (_, other) => other.elevate()],
      ['by revoke()', (sessions, other) => sessions.of('ann').revoke(other.id!)],
      ['by revokeAll()', (sessions) => sessions.of('ann').revokeAll()],
    ])('%s is not written to by a slow request', async (_name, end) => {
      const sessions = make()
      const [slow, other, token] = await two(sessions, { x: 1 })
      await end(sessions, other)
      slow.data.x = 2
      await expect(slow.save()).rejects.toBeInstanceOf(SessionEnded)
      await expect(slow.touch()).rejects.toBeInstanceOf(SessionEnded)
      await expect(slow.renew()).rejects.toBeInstanceOf(SessionEnded)
      expect((await sessions.load(headers(token))).isNew).toBe(true)
    })
    it('begins anew with what is set after destroy()', async () => {
      const sessions = make()
      const one = await sessions.load(headers(await loggedIn(sessions, 'ann', { x: 1 })))
      await one.destroy()
      expect([one.id, one.userId, one.data, one.isNew]).toEqual([undefined, undefined, {}, true])
      one.data.flash = 'bye'
      await one.save()
      expect(one.id).toMatch(/^[\w-]{16}$/)
      expect(one.userId).toBeUndefined()
    })
  })

  describe('a new token', () => {
    it('by renew() keeps everything, and the old one opens until the new one was used, and for the grace', async () => {
      const sessions = make({ renewGraceMs: 1_000 })
      const token = await loggedIn(sessions, 'ann', { x: 1 })
      const one = await sessions.load(headers(token))
      const { id } = one
      const renewed = await one.renew()
      expect(renewed.token).not.toBe(token)
      expect([one.id, one.userId, one.data]).toEqual([id, 'ann', { x: 1 }])
      one.data.x = 2
      await one.save()
      nowMs += 60_000
      expect((await sessions.load(headers(token))).userId).toBe('ann')
      expect((await sessions.load(headers(renewed.token))).data).toEqual({ x: 2 })
      nowMs += 999
      expect((await sessions.load(headers(token))).userId).toBe('ann')
      nowMs += 1
      expect((await sessions.load(headers(token))).userId).toBeUndefined()
      expect((await sessions.load(headers(renewed.token))).userId).toBe('ann')
    })
    it('cannot be made of the old one and what Redis holds once that is over', async () => {
      const sessions = make({ renewGraceMs: 1_000 })
      const token = await loggedIn(sessions, 'ann')
      const renewed = await (await sessions.load(headers(token))).renew()
      const nonces = async () => {
        const keys = await redis.keys('scale:session:1:*:session:*')
        const own = keys.filter((key) => key.includes(token.slice(20, 36)))
        return Promise.all(own.map((key) => redis.client.call('hexists', [key, 'n'])))
      }
      expect(await nonces()).toEqual([1])
      const first = await sessions.load(headers(renewed.token))
      nowMs += 1_000
      await first.touch()
      expect(await nonces()).toEqual([0])
      expect((await sessions.load(headers(renewed.token))).userId).toBe('ann')
    })
    it('is the same for all who come with the old one in its grace', async () => {
      const sessions = make()
      const token = await loggedIn(sessions)
      const several = await Promise.all([1, 2, 3].map(() => sessions.load(headers(token))))
      const tokens = await Promise.all(several.map(async (one) => (await one.renew()).token))
      const later = (await (await sessions.load(headers(token))).renew()).token
      expect(new Set([...tokens, later]).size).toBe(1)
    })
    it('by elevate() ends the old one at once, and says when', async () => {
      const sessions = make()
      const token = await loggedIn(sessions)
      const one = await sessions.load(headers(token))
      nowMs += 60_000
      const elevated = await one.elevate()
      expect(one.authenticatedAt).toBe(nowMs)
      expect((await sessions.load(headers(token))).userId).toBeUndefined()
      expect((await sessions.load(headers(elevated.token))).authenticatedAt).toBe(nowMs)
    })
    it('wants a session to belong to', async () => {
      const visitor = await make().load({})
      await expect(visitor.renew()).rejects.toBeInstanceOf(SessionRequired)
      await expect(visitor.elevate()).rejects.toBeInstanceOf(SessionRequired)
    })
  })

  describe('the clocks', () => {
    it('can be set for one login', async () => {
      const sessions = make()
      const one = await sessions.load({})
      const week = 7 * 86_400_000
      const { token, expiresAt } = await one.login('ann', {
        idleTimeoutMs: week / 7,
        absoluteTimeoutMs: week,
      })
      expect(expiresAt).toBe(nowMs + week)
      nowMs += week / 7 - 1
      const later = await sessions.load(headers(token))
      expect([later.userId, later.expiresAt]).toEqual(['ann', expiresAt])
      await later.touch()
      nowMs += week / 7 - 1
      expect((await sessions.load(headers(token))).userId).toBe('ann')
      nowMs += 1
      expect((await sessions.load(headers(token))).userId).toBeUndefined()
      await expect(one.login('ann', { idleTimeoutMs: -1 })).rejects.toThrow(/idleTimeoutMs/)
    })
    it('hold by the clock of the server', async () => {
      const options = { idleTimeoutMs: 200, absoluteTimeoutMs: 600, prefix: 'real' }
      const sessions = session<Data>({ redis: redis.client, ...options })
      const [idle, used] = [await loggedIn(sessions, 'idle'), await loggedIn(sessions, 'used')]
      const startedAt = performance.now()
      const lifeOf = async (token: string, use: boolean): Promise<number> => {
        for (;;) {
          const one = await sessions.load(headers(token))
          if (one.userId === undefined) return performance.now() - startedAt
          if (use) await one.touch().catch(() => {})
        }
      }
      const [idleLife, usedLife] = await Promise.all([lifeOf(idle, false), lifeOf(used, true)])
      expect(idleLife).toBeGreaterThan(150)
      expect(usedLife).toBeGreaterThan(550)
      await expect.poll(() => redis.keys('real:*')).toEqual(['real:session:1:mark'])
    })
  })

  describe("a user's sessions", () => {
    it('are listed, and ended one, others, all', async () => {
      const sessions = make()
      const tokens = [
        await loggedIn(sessions, 'eve'),
        await loggedIn(sessions, 'eve'),
        await loggedIn(sessions, 'eve'),
      ]
      const current = await sessions.load(headers(tokens[0]!))
      const list = await sessions.of(current).list()
      expect(list).toHaveLength(3)
      expect(list.filter((one) => one.current).map((one) => one.id)).toEqual([current.id])
      expect(JSON.stringify(list)).not.toContain(tokens[1])
      const second = await sessions.load(headers(tokens[1]!))
      expect(await sessions.of('eve').revoke(second.id!)).toBe(true)
      expect(await sessions.of('eve').revoke(second.id!)).toBe(false)
      expect(await sessions.of('mallory').revoke(current.id!)).toBe(false)
      expect(await sessions.of('eve').revoke('*')).toBe(false)
      expect((await sessions.load(headers(tokens[1]!))).isNew).toBe(true)
      expect(await sessions.of(current).revokeOthers()).toBe(1)
      expect((await sessions.load(headers(tokens[0]!))).userId).toBe('eve')
      expect((await sessions.load(headers(tokens[2]!))).isNew).toBe(true)
      expect(await sessions.of('eve').revokeAll()).toBe(1)
      expect(await sessions.of('eve').list()).toEqual([])
      await expect(sessions.of('eve').revokeOthers()).rejects.toThrow(/current/)
      await expect(sessions.of('eve').list({ limit: 0 })).rejects.toThrow(/limit/)
    })
    it('are trimmed out of the index when they expire', async () => {
      const sessions = make({ idleTimeoutMs: 1_000 })
      for (let i = 0; i < 5; i++) await loggedIn(sessions, 'tim')
      nowMs += 1_000
      expect(await sessions.of('tim').list()).toEqual([])
      await loggedIn(sessions, 'tim')
      expect(await sessions.of('tim').list()).toHaveLength(1)
    })
    it('are capped', async () => {
      const reject = make({ maxPerUser: { quota: 2, evict: 'reject' } })
      await loggedIn(reject, 'cap')
      await loggedIn(reject, 'cap')
      const third = await reject.load({})
      third.data.cart = 1
      await third.save()
      await expect(third.login('cap')).rejects.toBeInstanceOf(TooManySessions)
      // The login failed; the visitor has lost nothing.
      expect([third.userId, third.data]).toEqual([undefined, { cart: 1 }])
      await third.touch()
      const oldest = make({ maxPerUser: { quota: 2, evict: 'oldest' } })
      await loggedIn(oldest, 'cap')
      expect(await oldest.of('cap').list()).toHaveLength(2)
    })
  })

  describe('data', () => {
    const Profile = z.object({ visits: z.number().default(0), tags: z.array(z.string()).optional() })
    const typed = () =>
      session({ store: redisStore({ redis: redis.client, clock: () => nowMs }), schema: Profile })

    it('has the type of its schema, and the defaults', async () => {
      const sessions = typed()
      const one = await sessions.load({})
      one.data.visits += 1
      // @ts-expect-error not in the schema
      expect(one.data.other).toBeUndefined()
      const { token } = await one.login('zoe')
      expect((await sessions.load(headers(token))).data).toEqual({ visits: 1 })
    })
    it('is not stored if it does not fit the schema', async () => {
      const one = await typed().load({})
      one.data.visits = 'many' as unknown as number
      const error = await one.save().catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(InvalidSessionData)
      expect((error as Error).message).toMatch(/visits/)
      expect((error as Error).message).not.toMatch(/many/)
    })
    it('that does not fit the schema any more is left out, and the session stays', async () => {
      const token = await loggedIn(make(), 'zoe', { visits: 'many', tags: ['a'], alien: 1 })
      const seen: unknown[] = []
      const stop = unreadableChannel.subscribe((message) => seen.push(message))
      const one = await typed().load(headers(token))
      expect([one.userId, one.data]).toEqual(['zoe', { visits: 0, tags: ['a'] }])
      stop()
      expect(seen).toEqual([{ id: one.id, userId: 'zoe', reason: 'schema', keys: ['visits'] }])
      const operations: string[] = []
      const stopCounting = operationChannel.subscribe(({ operation }) => operations.push(operation))
      await one.save()
      stopCounting()
      expect(operations).toEqual([])
      one.data.visits = 3
      await one.save()
      expect((await make().load(headers(token))).data).toEqual({ visits: 3, tags: ['a'], alien: 1 })
    })
    it('has a schema that accepts nothing to begin with, at once', () => {
      expect(() => session({ schema: z.object({ name: z.string() }) })).toThrow(/must accept `{}`.*name/)
      const slow = z.object({}).refine(async () => true)
      expect(() => session({ schema: slow })).toThrow(/asynchronous/)
    })
    it.each<[string, (data: Data) => void, RegExp]>([
      ['a cycle', (data) => Object.assign(data, { a: { data } }).a.data === data, /`a` is not JSON/],
      ['a BigInt', (data) => Object.assign(data, { a: 1n }), /`a` is not JSON/],
      ['too much', (data) => Object.assign(data, { a: 'x'.repeat(70_000) }), /maxDataBytes/],
    ])('refuses %s', async (_name, spoil, message) => {
      const sessions = make()
      const one = await sessions.load(headers(await loggedIn(sessions)))
      spoil(one.data)
      await expect(one.save()).rejects.toThrow(message)
    })
    it('is not stored for the first time if it is too much', async () => {
      const visitor = await make().load({})
      visitor.data.a = 'x'.repeat(70_000)
      await expect(visitor.save()).rejects.toThrow(/maxDataBytes/)
      await expect(visitor.login('ann')).rejects.toThrow(/maxDataBytes/)
      expect([visitor.id, visitor.userId]).toEqual([undefined, undefined])
    })
    it('keeps names of every kind', async () => {
      const sessions = make()
      const data = JSON.parse('{"__proto__":{"x":1},"constructor":1,"u":2,".":3,"":4}') as Data
      const token = await loggedIn(sessions, 'ann', data)
      const one = await sessions.load(headers(token))
      expect(JSON.stringify(one.data)).toBe(JSON.stringify(data))
      expect(({} as Data).x).toBeUndefined()
    })
  })
})
