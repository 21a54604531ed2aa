import assert from 'node:assert/strict'
import { refusalOf } from '../record.js'
import type { Change, NewSession, SessionStore } from '../store.js'
import { digestOf, newNonce, newRef, newToken, type SessionRef, successorOf, userTag } from '../token.js'

/** The functions of a test runner that the contract needs; vitest, jest, mocha and `node:test` have them. */
export interface ContractRunner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void>): void
}

/** A store, and the clock that it reads. */
export interface StoreUnderTest {
  /** The same one for the whole suite, or a new one: every test uses ids of its own. */
  store(): SessionStore
  /** Sets the clock, in epoch ms. */
  setClock(nowMs: number): void
}

const START = 1_800_000_000_000
const IDLE = 60_000
const ABSOLUTE = 600_000

/** What every session store has to do, clause by clause of `SessionStore`. */
export function sessionStoreContract(runner: ContractRunner, underTest: StoreUnderTest): void {
  const { describe } = runner
  const it = (name: string, body: (store: SessionStore) => Promise<void>): void =>
    runner.it(name, async () => {
      underTest.setClock(START)
      await body(underTest.store())
    })
  const at = (ms: number): void => underTest.setClock(START + ms)

  describe('create and load', () => {
    it('gives back what was stored, with instants of its own clock', async (store) => {
      const { ref, digest } = await made(store, {
        userId: 'u1',
        client: '{"agent":"a"}',
        data: [['k', '"é\\u0000"']],
      })
      at(5)
      const loaded = await store.load(ref)
      assert.deepEqual(loaded, {
        nowMs: START + 5,
        listed: true,
        record: {
          digest,
          previous: undefined,
          createdAt: START,
          lastSeenAt: START,
          issuedAt: START,
          idleTimeoutMs: IDLE,
          expiresAt: START + ABSOLUTE,
          userId: 'u1',
          authenticatedAt: START,
          revision: 1,
          data: new Map([['k', { revision: 1, text: '"é\\u0000"' }]]),
        },
      })
    })
    it('stores nothing where there is a session', async (store) => {
      const { ref, digest } = await made(store, { data: [['a', '1']] })
      const again = await store.create(ref, session(newToken(ref), { data: [['a', '2']] }))
      assert.deepEqual(again, { outcome: 'exists' })
      assert.equal((await store.load(ref))?.record.digest, digest)
    })
    it('keeps an anonymous session without a user', async (store) => {
      const { ref } = await made(store, {})
      const loaded = await store.load(ref)
      assert.equal(loaded?.record.userId, undefined)
      assert.equal(loaded?.record.authenticatedAt, undefined)
    })
    it('knows nothing of a session that was never stored', async (store) => {
      assert.equal(await store.load(newRef(undefined)), undefined)
    })
    it('keeps keys with names of every kind apart', async (store) => {
      const names = ['', 'v', 'h', 'u', '.v', 'a b', '__proto__', 'constructor', 'ключ', '\n']
      const { ref } = await made(store, { data: names.map((name, i) => [name, String(i)]) })
      const loaded = await store.load(ref)
      assert.deepEqual(
        [...loaded!.record.data].map(([name, { text }]) => [name, text]).sort(),
        names.map((name, i) => [name, String(i)]).sort(),
      )
    })
  })

  describe('the clocks', () => {
    it('a session that nobody uses is over at its idle timeout, and not before', async (store) => {
      const { ref, digest } = await made(store, { userId: unique() })
      at(IDLE - 1)
      assert.equal(refusalOf((await store.load(ref))!, digest), undefined)
      at(IDLE)
      assert.equal(await isOpen(store, ref, digest), false)
    })
    it('a session that is used is over at its absolute end', async (store) => {
      const { ref, digest } = await made(store, { userId: unique() })
      for (let ms = IDLE / 2; ms < ABSOLUTE; ms += IDLE / 2) {
        at(ms)
        assert.equal((await store.save(ref, digest, [], 'report')).outcome, 'saved')
      }
      at(ABSOLUTE)
      assert.equal(await isOpen(store, ref, digest), false)
      assert.equal((await store.save(ref, digest, [], 'report')).outcome, 'ended')
    })
    it('a write to one that is over leaves nothing behind', async (store) => {
      const { ref, digest } = await made(store, {})
      at(IDLE)
      assert.equal((await store.save(ref, digest, [set('a', 0, '1')], 'overwrite')).outcome, 'ended')
      assert.equal(await isOpen(store, ref, digest), false)
    })
  })

  describe('save', () => {
    it('changes only the keys that it names', async (store) => {
      const { ref, digest } = await made(store, {
        data: [
          ['a', '1'],
          ['b', '2'],
          ['c', '3'],
        ],
      })
      at(10)
      const changes = [set('a', 1, '10'), { key: 'c', revision: 1, text: undefined }, set('d', 0, '4')]
      const saved = await store.save(ref, digest, changes, 'report')
      assert.deepEqual(saved, { outcome: 'saved', nowMs: START + 10, revision: 2, overwritten: [] })
      const { record } = (await store.load(ref))!
      assert.equal(record.lastSeenAt, START + 10)
      assert.deepEqual(Object.fromEntries(record.data), {
        a: { revision: 2, text: '10' },
        b: { revision: 1, text: '2' },
        d: { revision: 2, text: '4' },
      })
    })
    it('writes nothing, and says what is there, when a key has changed since', async (store) => {
      const { ref, digest } = await made(store, {
        data: [
          ['a', '1'],
          ['b', '2'],
          ['gone', '3'],
        ],
      })
      await store.save(
        ref,
        digest,
        [set('a', 1, '7'), { key: 'gone', revision: 1, text: undefined }],
        'report',
      )
      const mine = [set('a', 1, '8'), set('b', 1, '8'), set('gone', 1, '8')]
      const saved = await store.save(ref, digest, mine, 'report')
      assert.deepEqual(saved, {
        outcome: 'conflict',
        current: new Map([
          ['a', { revision: 2, text: '7' }],
          ['gone', { revision: 0, text: undefined }],
        ]),
      })
      assert.equal((await store.load(ref))?.record.data.get('b')?.text, '2')
    })
    it('takes two that add the same key for a conflict', async (store) => {
      const { ref, digest } = await made(store, {})
      await store.save(ref, digest, [set('a', 0, '1')], 'report')
      assert.equal((await store.save(ref, digest, [set('a', 0, '2')], 'report')).outcome, 'conflict')
    })
    it('overwrites when told to, and says what', async (store) => {
      const { ref, digest } = await made(store, { data: [['a', '1']] })
      await store.save(ref, digest, [set('a', 1, '2')], 'report')
      const saved = await store.save(ref, digest, [set('a', 1, '3'), set('b', 0, '4')], 'overwrite')
      assert.deepEqual(saved, { outcome: 'saved', nowMs: START, revision: 3, overwritten: ['a'] })
      assert.equal((await store.load(ref))?.record.data.get('a')?.text, '3')
    })
    it('keeps every key of many writers at once', async (store) => {
      const { ref, digest } = await made(store, {})
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
      await Promise.all(keys.map((key) => store.save(ref, digest, [set(key, 0, '1')], 'report')))
      assert.deepEqual([...(await store.load(ref))!.record.data.keys()].sort(), [...keys].sort())
    })
    it('takes a thousand keys at once', async (store) => {
      const { ref, digest } = await made(store, {})
      const changes = Array.from({ length: 1_000 }, (_, i) => set(`k${i}`, 0, '1'))
      await store.save(ref, digest, changes, 'report')
      const again = await store.save(ref, digest, changes, 'report')
      assert.equal(again.outcome === 'conflict' && again.current.size, 1_000)
    })
    it('changes the idle timeout when told to', async (store) => {
      const { ref, digest } = await made(store, { userId: unique() })
      await store.save(ref, digest, [], 'report', 2 * IDLE)
      at(2 * IDLE - 1)
      assert.equal(await isOpen(store, ref, digest), true)
      at(2 * IDLE)
      assert.equal(await isOpen(store, ref, digest), false)
    })
    it('refuses a token that does not open the session', async (store) => {
      const { ref } = await made(store, {})
      const other = digestOf(newToken(ref))
      assert.equal((await store.save(ref, other, [set('a', 0, '1')], 'report')).outcome, 'ended')
      assert.equal((await store.load(ref))?.record.data.size, 0)
    })
  })

  describe('rotate', () => {
    it('opens by the new token, and by the old one during its grace', async (store) => {
      const { ref, token, digest } = await made(store, { userId: unique(), data: [['a', '1']] })
      const { next, rotation } = rotationOf(token, 100)
      at(1)
      assert.deepEqual(await store.rotate(ref, digest, rotation), { outcome: 'rotated', nowMs: START + 1 })
      const loaded = (await store.load(ref))!
      assert.equal(loaded.record.issuedAt, START + 1)
      assert.equal(loaded.record.createdAt, START)
      assert.equal(loaded.record.data.get('a')?.text, '1')
      assert.equal(refusalOf(loaded, digestOf(next)), undefined)
      assert.equal(refusalOf(loaded, digest), undefined)
      assert.equal((await store.save(ref, digest, [set('b', 0, '1')], 'report')).outcome, 'saved')
      at(101)
      assert.equal(refusalOf((await store.load(ref))!, digest), 'renewed')
      assert.equal((await store.save(ref, digest, [set('c', 0, '1')], 'report')).outcome, 'ended')
      assert.equal((await store.save(ref, digestOf(next), [], 'report')).outcome, 'saved')
    })
    it('gives two that come with one token the same successor', async (store) => {
      const { ref, token, digest } = await made(store, {})
      const first = rotationOf(token, 100)
      const second = rotationOf(token, 100)
      const outcomes = await Promise.all(
        [first, second].map(({ rotation }) => store.rotate(ref, digest, rotation)),
      )
      assert.deepEqual(outcomes, [
        { outcome: 'rotated', nowMs: START },
        { outcome: 'already', nowMs: START, nonce: first.rotation.nonce },
      ])
    })
    it('ends the old token at once without a grace, and writes an elevation down', async (store) => {
      const { ref, token, digest } = await made(store, { userId: unique() })
      at(7)
      const { rotation } = rotationOf(token, 0, true)
      assert.equal((await store.rotate(ref, digest, rotation)).outcome, 'rotated')
      const loaded = (await store.load(ref))!
      assert.equal(refusalOf(loaded, digest), 'secret')
      assert.equal(loaded.record.authenticatedAt, START + 7)
      assert.equal((await store.rotate(ref, digest, rotationOf(token, 0).rotation)).outcome, 'ended')
    })
    it('elevates also by a token in its grace, and then ends both', async (store) => {
      const { ref, token, digest } = await made(store, { userId: unique() })
      const renewed = rotationOf(token, 100)
      await store.rotate(ref, digest, renewed.rotation)
      const elevated = rotationOf(token, 0, true)
      assert.equal((await store.rotate(ref, digest, elevated.rotation)).outcome, 'rotated')
      const loaded = (await store.load(ref))!
      assert.equal(refusalOf(loaded, digest), 'secret')
      assert.equal(refusalOf(loaded, digestOf(renewed.next)), 'secret')
      assert.equal(refusalOf(loaded, digestOf(elevated.next)), undefined)
    })
  })

  describe('end', () => {
    it('gives back what the session was, once', async (store) => {
      const { ref } = await made(store, { userId: unique(), data: [['a', '1']] })
      const ended = await store.end(ref)
      assert.equal(ended?.record.data.get('a')?.text, '1')
      assert.equal(ended?.listed, true)
      assert.equal(await store.end(ref), undefined)
      assert.equal(await store.load(ref), undefined)
    })
    it('leaves nothing for a slow writer', async (store) => {
      const { ref, digest } = await made(store, { userId: unique() })
      await store.end(ref)
      assert.equal((await store.save(ref, digest, [set('a', 0, '1')], 'overwrite')).outcome, 'ended')
      assert.equal((await store.save(ref, digest, [], 'report')).outcome, 'ended')
      assert.equal((await store.rotate(ref, digest, rotationOf(newToken(ref), 9).rotation)).outcome, 'ended')
      assert.equal(await store.load(ref), undefined)
    })
  })

  describe('the sessions of a user', () => {
    it('are listed, the last used first', async (store) => {
      const userId = unique()
      const first = await made(store, { userId, client: 'c1' })
      at(1)
      const second = await made(store, { userId, client: 'c2' })
      await made(store, { userId: unique() })
      at(2)
      await store.save(first.ref, first.digest, [], 'report')
      const list = await store.list(userTag(userId), 10)
      assert.deepEqual(
        list.map(({ id, record, client }) => [id, client, record.createdAt, record.lastSeenAt]),
        [
          [first.ref.id, 'c1', START, START + 2],
          [second.ref.id, 'c2', START + 1, START + 1],
        ],
      )
      assert.equal((await store.list(userTag(userId), 1)).length, 1)
      assert.deepEqual(await store.list(userTag(unique()), 10), [])
    })
    it('leave the list when they end or expire', async (store) => {
      const userId = unique()
      const first = await made(store, { userId })
      await made(store, { userId })
      await store.end(first.ref)
      assert.equal((await store.list(userTag(userId), 10)).length, 1)
      at(IDLE)
      assert.deepEqual(await store.list(userTag(userId), 10), [])
    })
    it('all end in one step, and slow writers with them', async (store) => {
      const userId = unique()
      const sessions = [
        await made(store, { userId }),
        await made(store, { userId }),
        await made(store, { userId }),
      ]
      assert.equal(await store.endAll(userTag(userId)), 3)
      for (const { ref, digest } of sessions) {
        assert.equal((await store.save(ref, digest, [set('a', 0, '1')], 'overwrite')).outcome, 'ended')
        assert.equal(await isOpen(store, ref, digest), false)
      }
      const later = await made(store, { userId })
      assert.equal(await isOpen(store, later.ref, later.digest), true)
      assert.equal(await isOpen(store, sessions[0]!.ref, sessions[0]!.digest), false)
      assert.equal(await store.endAll(userTag(unique())), 0)
    })
    it('all but one end', async (store) => {
      const userId = unique()
      const kept = await made(store, { userId })
      const other = await made(store, { userId })
      assert.equal(await store.endAll(userTag(userId), kept.ref.id), 1)
      assert.equal(await isOpen(store, kept.ref, kept.digest), true)
      assert.equal(await isOpen(store, other.ref, other.digest), false)
      assert.equal((await store.save(kept.ref, kept.digest, [], 'report')).outcome, 'saved')
      assert.deepEqual(
        (await store.list(userTag(userId), 10)).map(({ id }) => id),
        [kept.ref.id],
      )
    })
    it('count only while they are alive', async (store) => {
      const userId = unique()
      await made(store, { userId })
      at(IDLE)
      assert.equal(await store.endAll(userTag(userId)), 0)
    })
    it('above the quota, the one that was not used for the longest time ends', async (store) => {
      const userId = unique()
      const maxPerUser = { quota: 2, evict: 'oldest' as const }
      const first = await made(store, { userId, maxPerUser })
      at(1)
      const second = await made(store, { userId, maxPerUser })
      at(2)
      await store.save(first.ref, first.digest, [], 'report')
      const third = newRef(userId)
      const created = await store.create(third, session(newToken(third), { userId, maxPerUser }))
      assert.deepEqual(created, { outcome: 'created', nowMs: START + 2, evicted: 1 })
      assert.equal(await isOpen(store, second.ref, second.digest), false)
      assert.equal(await isOpen(store, first.ref, first.digest), true)
    })
    it('above the quota, a login fails and changes nothing', async (store) => {
      const userId = unique()
      const maxPerUser = { quota: 1, evict: 'reject' as const }
      const first = await made(store, { userId, maxPerUser })
      const second = newRef(userId)
      const full = await store.create(second, session(newToken(second), { userId, maxPerUser }))
      assert.deepEqual(full, { outcome: 'full' })
      assert.equal(await store.load(second), undefined)
      at(IDLE)
      assert.equal(await isOpen(store, first.ref, first.digest), false)
      assert.equal(
        (await store.create(second, session(newToken(second), { userId, maxPerUser }))).outcome,
        'created',
      )
    })
  })
}

interface Made {
  ref: SessionRef
  token: string
  digest: string
}

async function made(store: SessionStore, part: Partial<NewSession>): Promise<Made> {
  const ref = newRef(part.userId)
  const token = newToken(ref)
  const created = await store.create(ref, session(token, part))
  assert.equal(created.outcome, 'created')
  return { ref, token, digest: digestOf(token) }
}

function session(token: string, part: Partial<NewSession>): NewSession {
  return {
    digest: digestOf(token),
    userId: undefined,
    client: '',
    idleTimeoutMs: IDLE,
    absoluteTimeoutMs: ABSOLUTE,
    data: [],
    maxPerUser: undefined,
    ...part,
  }
}

function rotationOf(token: string, graceMs: number, elevate = false) {
  const nonce = newNonce()
  const next = successorOf(token, nonce)
  return { next, rotation: { digest: digestOf(next), nonce, graceMs, elevate } }
}

async function isOpen(store: SessionStore, ref: SessionRef, digest: string): Promise<boolean> {
  const loaded = await store.load(ref)
  return loaded !== undefined && refusalOf(loaded, digest) === undefined
}

function set(key: string, revision: number, text: string): Change {
  return { key, revision, text }
}

let count = 0

/** A user id that no other test has. */
function unique(): string {
  count++
  return `user-${process.pid}-${performance.timeOrigin}-${count}`
}
