import assert from 'node:assert/strict'
import type {
  Change,
  NewSession,
  Rotation,
  SessionStore,
  SessionWrite,
  TokenUse,
  WriteOutcome,
} from '../store.js'
import { type LoadedSession, refusalOf } from '../stores/record.js'
import {
  digestOf,
  newNonce,
  newRef,
  newToken,
  type SessionRef,
  successorOf,
  userTag,
} from '../stores/token.js'

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
      const found = await loaded(store, ref)
      assert.deepEqual(found, {
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
          persistent: undefined,
          revision: 1,
          data: new Map([['k', { revision: 1, text: '"é\\u0000"' }]]),
        },
      })
    })
    it('stores nothing where there is a session', async (store) => {
      const { ref, digest } = await made(store, { data: [['a', '1']] })
      const again = await store.create(ref, session(newToken(ref), { data: [['a', '2']] }))
      assert.deepEqual(again, { outcome: 'exists' })
      assert.equal((await loaded(store, ref))?.record.digest, digest)
    })
    it('keeps an anonymous session without a user', async (store) => {
      const { ref } = await made(store, {})
      const found = await loaded(store, ref)
      assert.equal(found?.record.userId, undefined)
      assert.equal(found?.record.authenticatedAt, undefined)
    })
    it('knows nothing of a session that was never stored', async (store) => {
      assert.equal(await store.load(newRef(undefined)), undefined)
    })
    it('keeps keys with names of every kind apart', async (store) => {
      const names = ['', 'v', 'h', 'u', '.v', 'a b', '__proto__', 'constructor', 'ключ', '\n']
      const { ref } = await made(store, { data: names.map((name, i) => [name, String(i)]) })
      const found = await loaded(store, ref)
      assert.deepEqual(
        [...found!.record.data].map(([name, { text }]) => [name, text]).sort(),
        names.map((name, i) => [name, String(i)]).sort(),
      )
    })
  })

  describe('the clocks', () => {
    it('a session that nobody uses is over at its idle timeout, and not before', async (store) => {
      const { ref, digest } = await made(store, { userId: unique() })
      at(IDLE - 1)
      assert.equal(refusalOf((await loaded(store, ref))!, digest), undefined)
      at(IDLE)
      assert.equal(await isOpen(store, ref, digest), false)
    })
    it('a session that is used is over at its absolute end', async (store) => {
      const { ref, digest } = await made(store, { userId: unique() })
      for (let ms = IDLE / 2; ms < ABSOLUTE; ms += IDLE / 2) {
        at(ms)
        assert.equal((await save(store, ref, digest, [], 'report')).outcome, 'written')
      }
      at(ABSOLUTE)
      assert.equal(await isOpen(store, ref, digest), false)
      assert.equal((await save(store, ref, digest, [], 'report')).outcome, 'ended')
    })
    it('a write to one that is over leaves nothing behind', async (store) => {
      const { ref, digest } = await made(store, {})
      at(IDLE)
      assert.equal((await save(store, ref, digest, [set('a', 0, '1')], 'overwrite')).outcome, 'ended')
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
      const saved = await save(store, ref, digest, changes, 'report')
      assert.deepEqual(saved, {
        outcome: 'written',
        nowMs: START + 10,
        revision: 2,
        expiresAt: START + ABSOLUTE,
        met: new Map(),
        nonce: undefined,
      })
      const { record } = (await loaded(store, ref))!
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
      await save(
        store,
        ref,
        digest,
        [set('a', 1, '7'), { key: 'gone', revision: 1, text: undefined }],
        'report',
      )
      const mine = [set('a', 1, '8'), set('b', 1, '8'), set('gone', 1, '8')]
      const saved = await save(store, ref, digest, mine, 'report')
      assert.deepEqual(saved, {
        outcome: 'conflict',
        current: new Map([
          ['a', { revision: 2, text: '7' }],
          ['gone', { revision: 0, text: undefined }],
        ]),
      })
      assert.equal((await loaded(store, ref))?.record.data.get('b')?.text, '2')
    })
    it('takes two that add the same key for a conflict', async (store) => {
      const { ref, digest } = await made(store, {})
      await save(store, ref, digest, [set('a', 0, '1')], 'report')
      assert.equal((await save(store, ref, digest, [set('a', 0, '2')], 'report')).outcome, 'conflict')
    })
    it('overwrites when told to, and says what', async (store) => {
      const { ref, digest } = await made(store, { data: [['a', '1']] })
      await save(store, ref, digest, [set('a', 1, '2')], 'report')
      const saved = await save(store, ref, digest, [set('a', 1, '3'), set('b', 0, '4')], 'overwrite')
      assert.equal(saved.outcome, 'written')
      assert.deepEqual(saved.outcome === 'written' && saved.met, new Map([['a', '3']]))
      assert.equal((await loaded(store, ref))?.record.data.get('a')?.text, '3')
    })
    it('keeps every key of many writers at once', async (store) => {
      const { ref, digest } = await made(store, {})
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
      await Promise.all(keys.map((key) => save(store, ref, digest, [set(key, 0, '1')], 'report')))
      assert.deepEqual([...(await loaded(store, ref))!.record.data.keys()].sort(), [...keys].sort())
    })
    it('takes a thousand keys at once', async (store) => {
      const { ref, digest } = await made(store, {})
      const changes = Array.from({ length: 1_000 }, (_, i) => set(`k${i}`, 0, '1'))
      await save(store, ref, digest, changes, 'report')
      const again = await save(store, ref, digest, changes, 'report')
      assert.equal(again.outcome === 'conflict' && again.current.size, 1_000)
    })
    it('changes the idle timeout when told to', async (store) => {
      const { ref, digest } = await made(store, { userId: unique() })
      await save(store, ref, digest, [], 'report', { lifetime: { idleTimeoutMs: 2 * IDLE } })
      at(2 * IDLE - 1)
      assert.equal(await isOpen(store, ref, digest), true)
      at(2 * IDLE)
      assert.equal(await isOpen(store, ref, digest), false)
    })
    it('refuses a token that does not open the session', async (store) => {
      const { ref } = await made(store, {})
      const other = digestOf(newToken(ref))
      assert.equal((await save(store, ref, other, [set('a', 0, '1')], 'report')).outcome, 'ended')
      assert.equal((await loaded(store, ref))?.record.data.size, 0)
    })
  })

  describe('a write that merges', () => {
    const merging = async (
      store: SessionStore,
      [base, theirs, ours]: readonly (string | undefined)[],
    ): Promise<string | undefined> => {
      const { ref, digest } = await made(store, base === undefined ? {} : { data: [['k', base]] })
      const revision = base === undefined ? 0 : 1
      await save(store, ref, digest, [{ key: 'k', revision, text: theirs }], 'report')
      const written = await save(store, ref, digest, [{ key: 'k', revision, text: ours, base }], 'merge')
      const text = (await loaded(store, ref))!.record.data.get('k')?.text
      assert.deepEqual(written.outcome === 'written' && written.met, new Map([['k', text]]))
      return text
    }
    it('joins objects member by member, and the later one wins where they meet', async (store) => {
      const base = '{"both":0,"gone":0,"deep":{"l":[1]}}'
      const theirs = '{"both":"a","gone":0,"deep":{"l":[1],"a":1.10e1}}'
      const ours = '{"both":"b","deep":{"l":[1],"b":[]}}'
      assert.deepEqual(JSON.parse((await merging(store, [base, theirs, ours]))!), {
        both: 'b',
        deep: { l: [1], a: 11, b: [] },
      })
    })
    it('joins two that add one key', async (store) => {
      assert.equal(await merging(store, [undefined, '{"a":1}', '{"b":2}']), '{"a":1,"b":2}')
    })
    it('takes the later of all that are no objects', async (store) => {
      assert.equal(await merging(store, ['1', '2', '3']), '3')
      assert.equal(await merging(store, ['{"a":1}', '{"a":2}', '[1]']), '[1]')
      assert.equal(await merging(store, ['{"a":1}', '{"a":2}', undefined]), undefined)
      assert.equal(await merging(store, ['{"a":1}', undefined, '{"a":2}']), '{"a":2}')
    })
    it('changes no number or text on the way', async (store) => {
      const kept = '"n":12345678901234567000,"f":0.30000000000000004,"s":"\\"}]\\\\","e":[],"o":{},"z":null'
      const merged = await merging(store, [`{${kept}}`, `{${kept},"a":1}`, `{${kept},"b":1}`])
      assert.equal(merged, `{${kept},"a":1,"b":1}`)
    })
    it('leaves what another wrote beside it', async (store) => {
      const { ref, digest } = await made(store, {})
      const names = Array.from({ length: 100 }, (_, i) => `k${i}`)
      await Promise.all(
        names.map((name) => save(store, ref, digest, [set('o', 0, `{"${name}":1}`)], 'merge')),
      )
      const joined = JSON.parse((await loaded(store, ref))!.record.data.get('o')!.text)
      assert.deepEqual(Object.keys(joined).sort(), names.sort())
    })
  })

  describe('the size of the data', () => {
    it('is that of all keys, whoever wrote them', async (store) => {
      const { ref, digest } = await made(store, { data: [['a', `"${'x'.repeat(500)}"`]] })
      const text = `"${'y'.repeat(600)}"`
      const outcome = await save(store, ref, digest, [set('b', 0, text)], 'merge', { maxBytes: 1_024 })
      assert.equal(outcome.outcome, 'too-large')
      assert.equal((await loaded(store, ref))!.record.data.has('b'), false)
      const fits = await save(store, ref, digest, [set('a', 1, '1'), set('b', 0, text)], 'merge', {
        maxBytes: 1_024,
      })
      assert.equal(fits.outcome, 'written')
    })
  })

  describe('a session that replaces another of its user', () => {
    it('ends it in the same step, gives back what it was, and does not count it', async (store) => {
      const userId = unique()
      const maxPerUser = { quota: 1, evict: 'reject' as const }
      const before = await made(store, { userId, maxPerUser, data: [['a', '1']] })
      const ref = newRef(userId)
      const token = newToken(ref)
      const created = await store.create(ref, session(token, { userId, maxPerUser, replaces: before.ref.id }))
      assert.equal(created.outcome === 'created' && created.replaced?.record.data.get('a')?.text, '1')
      assert.equal(created.outcome === 'created' && created.evicted, 0)
      assert.equal(await store.load(before.ref), 'ended')
      assert.equal(await isOpen(store, ref, digestOf(token)), true)
    })
    it('leaves it alive if the quota is full with others', async (store) => {
      const userId = unique()
      const before = await made(store, { userId })
      await made(store, { userId })
      const ref = newRef(userId)
      const maxPerUser = { quota: 1, evict: 'reject' as const }
      const wanted = session(newToken(ref), { userId, maxPerUser, replaces: before.ref.id })
      assert.deepEqual(await store.create(ref, wanted), { outcome: 'full' })
      assert.equal(await isOpen(store, before.ref, before.digest), true)
    })
  })

  describe('a new token', () => {
    it('opens at once, and the old one until the new one was used', async (store) => {
      const { ref, token, digest } = await made(store, { userId: unique(), data: [['a', '1']] })
      const { next, rotation } = rotationOf(token)
      at(1)
      const rotated = await rotate(store, ref, digest, rotation)
      assert.equal(rotated.outcome === 'written' && rotated.nonce, rotation.nonce)
      const found = (await loaded(store, ref))!
      assert.equal(found.record.issuedAt, START + 1)
      assert.equal(found.record.createdAt, START)
      assert.equal(found.record.data.get('a')?.text, '1')
      assert.equal(refusalOf(found, digestOf(next)), undefined)
      at(IDLE - 1)
      // Neither a look nor a use of the old one changes that.
      await store.load(ref, { digest, overlapMs: 100 })
      assert.equal(refusalOf((await loaded(store, ref))!, digest), undefined)
      assert.equal((await save(store, ref, digest, [set('b', 0, '1')], 'report')).outcome, 'written')
      const use = { digest: digestOf(next), overlapMs: 100 }
      assert.equal(await refusal(store, ref, digestOf(next), use), undefined)
      assert.equal(refusalOf((await loaded(store, ref))!, digest), undefined)
      at(IDLE + 49)
      // A later use of the new one does not prolong it.
      assert.equal(await refusal(store, ref, digestOf(next), use), undefined)
      at(IDLE + 99)
      assert.equal(refusalOf((await loaded(store, ref))!, digest), 'renewed')
      assert.equal((await save(store, ref, digest, [set('c', 0, '1')], 'report')).outcome, 'ended')
      assert.equal((await save(store, ref, digestOf(next), [], 'report')).outcome, 'written')
    })
    it('is the same for two that come with one token', async (store) => {
      const { ref, token, digest } = await made(store, {})
      const [first, second] = [rotationOf(token), rotationOf(token)]
      const outcomes = await Promise.all(
        [first, second].map(({ rotation }) => rotate(store, ref, digest, rotation)),
      )
      const nonces = outcomes.map((one) => one.outcome === 'written' && one.nonce)
      assert.deepEqual(nonces, [first.rotation.nonce, first.rotation.nonce])
      assert.equal(refusalOf((await loaded(store, ref))!, digestOf(second.next)), 'secret')
    })
    it('is not given for the old one once it was used', async (store) => {
      const { ref, token, digest } = await made(store, { userId: unique() })
      const { next, rotation } = rotationOf(token)
      await rotate(store, ref, digest, rotation)
      await store.load(ref, { digest: digestOf(next), overlapMs: 100 })
      for (const elevate of [false, true]) {
        const late = await rotate(store, ref, digest, rotationOf(token, elevate).rotation)
        assert.equal(late.outcome === 'written' && late.nonce, undefined)
      }
      assert.equal(refusalOf((await loaded(store, ref))!, digestOf(next)), undefined)
    })
    it('comes with changes in one step', async (store) => {
      const { ref, token, digest } = await made(store, { data: [['a', '1']] })
      const { next, rotation } = rotationOf(token)
      await save(store, ref, digest, [set('a', 1, '2')], 'report', { rotation })
      assert.equal((await loaded(store, ref))!.record.data.get('a')?.text, '2')
      assert.equal(refusalOf((await loaded(store, ref))!, digestOf(next)), undefined)
    })
    it('of an elevation ends the old one at once, and is written down', async (store) => {
      const { ref, token, digest } = await made(store, { userId: unique() })
      at(7)
      await rotate(store, ref, digest, rotationOf(token, true).rotation)
      const found = (await loaded(store, ref))!
      assert.equal(refusalOf(found, digest), 'secret')
      assert.equal(found.record.authenticatedAt, START + 7)
      assert.equal((await rotate(store, ref, digest, rotationOf(token).rotation)).outcome, 'ended')
    })
    it('leaves the old one good for who has opened the session with it, and for no new token', async (store) => {
      for (const userId of [undefined, unique()]) {
        const { ref, token, digest } = await made(store, { userId })
        const openedWhen = (await loaded(store, ref))!.record.authenticatedAt ?? 0
        const write = (rotation?: Rotation) =>
          store.write(
            ref,
            { digest, openedWhen },
            { changes: [set('a', 0, '1')], onConflict: 'overwrite', rotation },
          )
        const first = rotationOf(token)
        await rotate(store, ref, digest, first.rotation)
        await store.load(ref, { digest: digestOf(first.next), overlapMs: 0 })
        assert.equal(refusalOf((await loaded(store, ref))!, digest), 'renewed')
        assert.equal(refusalOf((await loaded(store, ref))!, digest, openedWhen), undefined)
        // One that nobody has used yet is not given to it either.
        const second = rotationOf(first.next)
        for (const elevate of [false, true]) {
          const late = await write(rotationOf(token, elevate).rotation)
          assert.equal(late.outcome === 'written' && late.nonce, undefined)
          await rotate(store, ref, digestOf(first.next), second.rotation)
        }
        assert.equal(refusalOf((await loaded(store, ref))!, digestOf(second.next)), undefined)
        if (userId === undefined) continue
        await rotate(store, ref, digestOf(second.next), rotationOf(second.next, true).rotation)
        assert.equal((await write()).outcome, 'ended')
        assert.equal(refusalOf((await loaded(store, ref))!, digest, openedWhen), 'secret')
      }
    })
    it('of an elevation comes also for one that was replaced, and then ends both', async (store) => {
      const { ref, token, digest } = await made(store, { userId: unique() })
      const renewed = rotationOf(token)
      await rotate(store, ref, digest, renewed.rotation)
      const elevated = rotationOf(token, true)
      await rotate(store, ref, digest, elevated.rotation)
      const found = (await loaded(store, ref))!
      assert.equal(refusalOf(found, digest), 'secret')
      assert.equal(refusalOf(found, digestOf(renewed.next)), 'secret')
      assert.equal(refusalOf(found, digestOf(elevated.next)), undefined)
    })
  })

  describe('end', () => {
    it('gives back what the session was, once', async (store) => {
      const { ref } = await made(store, { userId: unique(), data: [['a', '1']] })
      const ended = await store.end(ref)
      assert.equal(ended?.record.data.get('a')?.text, '1')
      assert.equal(ended?.listed, true)
      assert.equal(await store.end(ref), undefined)
      assert.equal(await store.load(ref), 'ended')
    })
    it('leaves nothing for a slow writer', async (store) => {
      const { ref, digest } = await made(store, { userId: unique() })
      await store.end(ref)
      assert.equal((await save(store, ref, digest, [set('a', 0, '1')], 'overwrite')).outcome, 'ended')
      assert.equal((await save(store, ref, digest, [], 'report')).outcome, 'ended')
      assert.equal((await rotate(store, ref, digest, rotationOf(newToken(ref)).rotation)).outcome, 'ended')
      assert.equal(await store.load(ref), 'ended')
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
      await save(store, first.ref, first.digest, [], 'report')
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
        assert.equal((await save(store, ref, digest, [set('a', 0, '1')], 'overwrite')).outcome, 'ended')
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
      assert.equal((await save(store, kept.ref, kept.digest, [], 'report')).outcome, 'written')
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
      await save(store, first.ref, first.digest, [], 'report')
      const third = newRef(userId)
      const created = await store.create(third, session(newToken(third), { userId, maxPerUser }))
      assert.deepEqual(created, { outcome: 'created', nowMs: START + 2, evicted: 1, replaced: undefined })
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
    persistent: undefined,
    ...part,
  }
}

function rotationOf(token: string, elevate = false): { next: string; rotation: Rotation } {
  const nonce = newNonce()
  const next = successorOf(token, nonce)
  return { next, rotation: { digest: digestOf(next), nonce, elevate } }
}

function save(
  store: SessionStore,
  ref: SessionRef,
  digest: string,
  changes: readonly Change[],
  onConflict: SessionWrite['onConflict'],
  more: Partial<SessionWrite> = {},
): Promise<WriteOutcome> {
  return store.write(ref, { digest }, { changes, onConflict, ...more })
}

function rotate(
  store: SessionStore,
  ref: SessionRef,
  digest: string,
  rotation: Rotation,
): Promise<WriteOutcome> {
  return store.write(ref, { digest }, { onConflict: 'report', rotation })
}

async function loaded(
  store: SessionStore,
  ref: SessionRef,
  use?: TokenUse,
): Promise<LoadedSession | undefined> {
  const found = await store.load(ref, use)
  return found === 'ended' ? undefined : found
}

async function refusal(
  store: SessionStore,
  ref: SessionRef,
  digest: string,
  use: TokenUse,
): Promise<string | undefined> {
  return refusalOf((await loaded(store, ref, use))!, digest)
}

async function isOpen(store: SessionStore, ref: SessionRef, digest: string): Promise<boolean> {
  const found = await loaded(store, ref)
  return found !== undefined && refusalOf(found, digest) === undefined
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
