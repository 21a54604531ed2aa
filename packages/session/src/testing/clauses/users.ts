import assert from 'node:assert/strict'
import { newRef, newToken, userTag } from '../../stores/token.js'
import { type Clauses, IDLE, made, newSession, START, Subject, set, unique } from '../subject.js'

/** All sessions of a user. */
export function userClauses({ describe, it, at }: Clauses): void {
  describe('a session that replaces another of its user', () => {
    it('ends it in the same step, gives back what it was, and does not count it', async (store) => {
      const userId = unique()
      const maxPerUser = { quota: 1, evict: 'reject' as const }
      const before = await made(store, { userId, maxPerUser, data: [['a', '1']] })
      const ref = newRef(userId)
      const token = newToken(ref)
      const created = await store.create(
        ref,
        newSession(token, { userId, maxPerUser, replaces: before.ref.id }),
      )
      assert.equal(created.outcome === 'created' && created.replaced?.record.data.get('a')?.text, '1')
      assert.equal(created.outcome === 'created' && created.evicted, 0)
      assert.equal(await store.load(before.ref), 'ended')
      assert.equal(await new Subject(store, ref, token).isOpen(), true)
    })
    it('leaves it alive if the quota is full with others', async (store) => {
      const userId = unique()
      const before = await made(store, { userId })
      await made(store, { userId })
      const ref = newRef(userId)
      const maxPerUser = { quota: 1, evict: 'reject' as const }
      const wanted = newSession(newToken(ref), { userId, maxPerUser, replaces: before.ref.id })
      assert.deepEqual(await store.create(ref, wanted), { outcome: 'full' })
      assert.equal(await before.isOpen(), true)
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
      await first.save([])
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
      for (const one of sessions) {
        assert.equal((await one.save([set('a', 0, '1')], 'overwrite')).outcome, 'ended')
        assert.equal(await one.isOpen(), false)
      }
      const later = await made(store, { userId })
      assert.equal(await later.isOpen(), true)
      assert.equal(await sessions[0]!.isOpen(), false)
      assert.equal(await store.endAll(userTag(unique())), 0)
    })
    it('all but one end', async (store) => {
      const userId = unique()
      const kept = await made(store, { userId })
      const other = await made(store, { userId })
      assert.equal(await store.endAll(userTag(userId), kept.ref.id), 1)
      assert.equal(await kept.isOpen(), true)
      assert.equal(await other.isOpen(), false)
      assert.equal((await kept.save([])).outcome, 'written')
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
      await first.save([])
      const third = newRef(userId)
      const created = await store.create(third, newSession(newToken(third), { userId, maxPerUser }))
      assert.deepEqual(created, { outcome: 'created', nowMs: START + 2, evicted: 1, replaced: undefined })
      assert.equal(await second.isOpen(), false)
      assert.equal(await first.isOpen(), true)
    })
    it('above the quota, a login fails and changes nothing', async (store) => {
      const userId = unique()
      const maxPerUser = { quota: 1, evict: 'reject' as const }
      const first = await made(store, { userId, maxPerUser })
      const second = newRef(userId)
      const full = await store.create(second, newSession(newToken(second), { userId, maxPerUser }))
      assert.deepEqual(full, { outcome: 'full' })
      assert.equal(await store.load(second), undefined)
      at(IDLE)
      assert.equal(await first.isOpen(), false)
      assert.equal(
        (await store.create(second, newSession(newToken(second), { userId, maxPerUser }))).outcome,
        'created',
      )
    })
  })
}
